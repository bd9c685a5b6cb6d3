"""Staying below Klaviyo's published limits, as far as one process can see.

Klaviyo counts in fixed windows whose beginning we do not know; counting any stretch of the same length stays below
them wherever they begin. Private keys share the account's limits with the merchant's other tools, and other workers
count for themselves, so a 429 remains possible and is honoured like any other.
"""

from __future__ import annotations

from collections import deque

from loyalty.adapters.klaviyo.operations import Operation
from loyalty.ports import Clock


class CallLimits:
    """Remembers recent calls for each quota (a program) and operation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def take(self, quota: str, operation: Operation) -> float:
        """Seconds until one more call is allowed; 0.0 when it is now, and then it counts as made."""
        now = self._clock.now().timestamp()
        made = self._calls.setdefault((quota, operation.name), deque())
        longest = max(window.seconds for window in operation.windows)
        while made and made[0] <= now - longest:
            made.popleft()
        wait = max(self._until_room(made, window.calls, window.seconds, now) for window in operation.windows)
        if not wait:
            made.append(now)
        return wait

    @staticmethod
    def _until_room(made: deque[float], calls: int, seconds: int, now: float) -> float:
        if len(made) < calls:
            return 0.0
        return max(0.0, made[-calls] + seconds - now)
