"""Runs a command for as long as its parent lives.

``python local/lifeline.py COMMAND...`` starts the command in its own process group and holds on to standard input,
whose other end is the parent's. When that end closes, whether the parent closed it or was killed, the whole group is
ended: first politely, then surely. So no process stays behind, whatever way the parent ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import Final

GRACE_SECONDS: Final = 5.0


def main(command: list[str]) -> int:
    """Run ``command`` and return its exit status, unless the parent goes first."""
    # The group's signals reach this process too. A handler, unlike "ignore", is not inherited by the command.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    # What is left of the group, this process included.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
