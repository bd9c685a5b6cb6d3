"""The tool that writes the pins."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import lock

PYPROJECT = """
[project]
requires-python = ">=3.11"
dependencies = ["boto3>=1"]
[dependency-groups]
dev = ["pytest"]
[tool.ruff]
line-length = 100
"""


@pytest.mark.parametrize(("old", "new"), [("boto3>=1", "boto3>=2"), ('"pytest"', '"pytest>=9"'), (">=3.11", ">=3.12")])
def test_the_fingerprint_follows_every_range(old: str, new: str) -> None:
    assert lock.fingerprint(PYPROJECT) != lock.fingerprint(PYPROJECT.replace(old, new))


def test_the_fingerprint_ignores_what_pins_do_not_depend_on() -> None:
    assert lock.fingerprint(PYPROJECT) == lock.fingerprint(PYPROJECT.replace("100", "110"))


def test_a_resolution_that_fails_ends_the_run_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", run)
    assert lock.main(["--upgrade"]) == 3
    assert len(commands) == 1
    assert "--upgrade" in commands[0]


def test_every_file_starts_with_the_fingerprint_of_its_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        (tmp_path / command[-1]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / command[-1]).write_text("example==1.0\n")
        return subprocess.CompletedProcess(command, 0)

    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    assert lock.main([]) == 0
    for name in lock.PLAN:
        first, second = (tmp_path / name).read_text().splitlines()
        assert lock.fingerprint(PYPROJECT) in first
        assert second == "example==1.0"
    assert capsys.readouterr().out.count("wrote") == len(lock.PLAN)
