"""Child processes of the local stack: started with a log file, ended for certain."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parent.parent
# A little more than the time in which a lifeline ends its group.
_END_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05


class StackError(Exception):
    """The local stack could not do what it was asked to; the message says why and where to look."""


class Process:
    """A running command whose output goes to a file and which never outlives this process."""

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path = ROOT
    ) -> None:
        self.name = name
        self.log = log
        lifeline = [sys.executable, str(ROOT / "local" / "lifeline.py"), *command]
        with log.open("wb") as output:
            self._lifeline = subprocess.Popen(
                lifeline,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                # Ctrl-C is for the parent, which then ends its children in order.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End the command and everything it started; return when they are gone."""
        if self._lifeline.stdin is not None:
            self._lifeline.stdin.close()
        try:
            self._lifeline.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._lifeline.kill()
            self._lifeline.wait()

    def ended(self) -> int | None:
        """Exit status of the command, or None while it runs."""
        return self._lifeline.poll()

    def wait_until(self, what: str, condition: Callable[[], T | None], *, seconds: float) -> T:
        """Ask ``condition`` until it gives something; raise StackError when the command ends or time runs out first."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.ended() is not None:
                raise StackError(f"{self.name} ended before {what}.\n{self.last_lines()}")
            answer = condition()
            if answer is not None:
                return answer
            time.sleep(_POLL_SECONDS)
        raise StackError(f"{self.name}: not {what} after {seconds:.0f} s.\n{self.last_lines()}")

    def last_lines(self, count: int = 30) -> str:
        """The end of the command's output, with the place of the rest."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"The end of {self.log}:", *lines[-count:]])


def run(name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path = ROOT) -> None:
    """Run a command to its end; raise StackError with the end of its output when it fails."""
    with Process(name, command, log=log, env=env, cwd=cwd) as process:
        while (status := process.ended()) is None:
            time.sleep(_POLL_SECONDS)
        if status != 0:
            raise StackError(f"{name} failed with status {status}.\n{process.last_lines()}")


def free_port() -> int:
    """A loopback port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
