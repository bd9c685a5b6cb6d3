"""`make local`: stacks side by side, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import ROOT
from local.stack import STACKS, Stack
from local.waiting import eventually

NAME = "second"
MARK = "TALLYHOOK_TEST_RUN"


def processes_with(mark: str) -> list[str]:
    """Command lines of all processes whose environment holds this value, whoever started them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def second(mark: str) -> Iterator[subprocess.Popen[bytes]]:
    """A stack of another name, started the way `make local` starts one."""
    command = [sys.executable, "-m", "local.stack", "up", "--name", NAME]
    environment = {**os.environ, MARK: mark, "PYTHONPATH": os.pathsep.join(["", "layers/loyalty/python"])}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        yield process
        process.kill()
    shutil.rmtree(STACKS / NAME, ignore_errors=True)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes by /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_stack_runs_beside_the_first_and_ends_without_a_trace(
    stack: Stack, second: subprocess.Popen[bytes], mark: str, number: signal.Signals
) -> None:
    file = STACKS / NAME / "stack.json"
    eventually("second stack", lambda: file.exists() or second.poll() is not None, seconds=300)
    description = json.loads(file.read_text())
    assert description["aws_endpoint_url"] != stack.description.aws_endpoint_url
    assert description["klaviyo_url"] != stack.description.klaviyo_url
    assert oct(file.stat().st_mode & 0o777) == "0o600", "there are keys in it"

    second.send_signal(number)

    assert second.wait(240) == 128 + number
    assert not file.exists()
    eventually("end of all its processes", lambda: not processes_with(mark))
