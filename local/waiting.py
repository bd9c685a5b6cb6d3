"""Waiting for something to become true, instead of for time to pass."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from local.processes import StackError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_POLL_SECONDS: Final = 0.1


def eventually(what: str, condition: Callable[[], T | None], *, seconds: float = 240.0) -> T:
    """Ask ``condition`` until it gives something other than None, False or nothing, and return that.

    Raises:
        StackError: It did not within ``seconds``; the message names ``what``.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise StackError(f"After {seconds:.0f} s there is still no {what}.")
        time.sleep(_POLL_SECONDS)
