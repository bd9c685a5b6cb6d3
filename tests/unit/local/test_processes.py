"""Children of the local stack: ended with their parent, whatever way that goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.processes import ROOT, Process, StackError, run
from local.waiting import eventually

ENVIRONMENT = {"PATH": os.environ["PATH"]}
# A command that starts another one, and names both.
FAMILY = """
import os, subprocess, sys, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
child.wait()
"""


def family(place: Path) -> list[str]:
    return [sys.executable, "-c", FAMILY, str(place)]


def members(place: Path) -> list[int]:
    return eventually("family", lambda: [int(pid) for pid in place.read_text().split()] if place.exists() else [])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc/self").exists() else True
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_ending_a_process_ends_what_it_started_too(tmp_path: Path) -> None:
    with Process("family", family(tmp_path / "pids"), log=tmp_path / "log", env=ENVIRONMENT):
        pids = members(tmp_path / "pids")
        assert all(is_alive(pid) for pid in pids)
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_process_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    """`kill -9` gives the parent no chance to end anything."""
    program = (
        "import sys, time; from pathlib import Path; from local.processes import Process\n"
        f"Process('family', {family(tmp_path / 'pids')!r}, log=Path({str(tmp_path / 'log')!r}), env={{}})\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as parent:
        pids = members(tmp_path / "pids")
        parent.send_signal(signal.SIGKILL)
    eventually("end of the family", lambda: not [pid for pid in pids if is_alive(pid)])


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with pytest.raises(StackError, match=r"(?s)step failed with status 3.*the reason"):
        run("step", command, log=tmp_path / "log", env=ENVIRONMENT)


def test_waiting_for_a_process_that_ended_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason')"]
    with (
        Process("server", command, log=tmp_path / "log", env=ENVIRONMENT) as process,
        pytest.raises(StackError, match=r"(?s)server ended before it answered.*the reason"),
    ):
        process.wait_until("it answered", lambda: None, seconds=60)
