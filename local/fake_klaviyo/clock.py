"""Time as the fake Klaviyo sees it: a wall clock for timestamps, a scaled one for durations.

Keeping the two apart lets a test shorten every waiting time (rate-limit windows, retries, token life) without
moving the timestamps that both sides compare.
"""

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the fake asks about time."""

    def now(self) -> datetime:
        """Wall-clock time in UTC, for timestamps."""

    def elapsed(self) -> float:
        """Seconds of Klaviyo time since the start, for durations."""

    def advance(self, seconds: float) -> None:
        """Let `seconds` of Klaviyo time pass at once, on both clocks."""

    def real_seconds(self, seconds: float) -> float:
        """How long a client really waits for `seconds` of Klaviyo time."""


def client_seconds(clock: Clock, seconds: float) -> int:
    """The whole seconds to tell a client (Retry-After and the like), rounded up and never below 1."""
    return max(1, math.ceil(clock.real_seconds(seconds) - 1e-6))


class RunningClock:
    """The machine's clock; one real second stands for `scale` seconds of Klaviyo time."""

    def __init__(self, scale: float = 1.0) -> None:
        if scale <= 0:
            raise ValueError("the time scale must be positive")
        self._scale = scale
        self._started = time.monotonic()
        self._advanced = 0.0

    def now(self) -> datetime:
        """Wall-clock time in UTC, moved on by whatever was advanced."""
        return datetime.now(UTC) + timedelta(seconds=self._advanced)

    def elapsed(self) -> float:
        """Scaled seconds since the start, moved on by whatever was advanced."""
        return (time.monotonic() - self._started) * self._scale + self._advanced

    def advance(self, seconds: float) -> None:
        """Let `seconds` of Klaviyo time pass at once."""
        self._advanced += seconds

    def real_seconds(self, seconds: float) -> float:
        """`seconds` of Klaviyo time as real seconds."""
        return seconds / self._scale


class ManualClock:
    """A clock that only moves when told to, for tests in one process."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._advanced = 0.0

    def now(self) -> datetime:
        """The start plus whatever was advanced."""
        return self._start + timedelta(seconds=self._advanced)

    def elapsed(self) -> float:
        """Whatever was advanced, in seconds."""
        return self._advanced

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self._advanced += seconds

    def real_seconds(self, seconds: float) -> float:
        """The same: a manual clock has no scale."""
        return seconds
