"""Staying below Klaviyo's published limits within one process.

For whoever works alone. Where several workers share a program's limits, ``dynamodb.call_permits`` counts for all of
them. Private keys share the account's limits with the merchant's other tools, so a 429 remains possible either way.
"""

from __future__ import annotations

import math
import threading
from datetime import datetime

from loyalty.domain.call_windows import CallLog, Window
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock


class CallLimits:
    """Remembers recent calls of each program and operation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logs: dict[tuple[ProgramSlug, str], CallLog] = {}
        self._lock = threading.Lock()

    def take(self, program: ProgramSlug, operation: str, windows: tuple[Window, ...]) -> float:
        """Seconds until one more call is allowed; 0.0 when it is now, and then it counts as made."""
        with self._lock:
            log, now = self._logs.get((program, operation), CallLog()), self._clock.now()
            wait = log.wait(windows, milliseconds(now))
            if not wait:
                self._logs[program, operation] = log.with_calls(1, windows, milliseconds(now), _upper(now))
            return wait / 1000

    def wait(self, program: ProgramSlug, operation: str, windows: tuple[Window, ...]) -> float:
        """Seconds until one more call is allowed."""
        log = self._logs.get((program, operation), CallLog())
        return log.wait(windows, milliseconds(self._clock.now())) / 1000

    def close(self, program: ProgramSlug, operation: str, seconds: float) -> None:
        """Allow no call for some seconds."""
        with self._lock:
            log = self._logs.get((program, operation), CallLog())
            self._logs[program, operation] = log.closed(milliseconds(self._clock.now()) + math.ceil(seconds * 1000))


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return int(moment.timestamp() * 1000)


def _upper(moment: datetime) -> int:
    """Rounded up: a call counts as made no earlier than it was."""
    return math.ceil(moment.timestamp() * 1000)
