"""Calls counted against published limits, so that no stretch of a window's length ever holds more than it may. Pure.

Klaviyo counts in fixed windows whose beginning nobody else knows (docs/klaviyo.md 2). Counting any stretch of the same
length stays below them wherever they begin. Times are whole milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

EXACT_CALLS = 160
"""Windows of at most so many calls are counted call by call; in larger ones calls close to each other are counted as
one group at the time of its last call, which only ever waits a little longer."""

_GROUPS = 120


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``calls`` within any ``seconds``."""

    calls: int
    seconds: int

    @property
    def milliseconds(self) -> int:
        """Its length."""
        return self.seconds * 1000


@dataclass(frozen=True, slots=True)
class CallLog:
    """Recent calls of one operation: (time, how many), oldest first. Nothing may be called before ``closed_until``."""

    groups: tuple[tuple[int, int], ...] = ()
    closed_until: int = 0

    def wait(self, windows: Iterable[Window], now: int) -> int:
        """Milliseconds until one more call is allowed; 0 when it is now."""
        return max(0, self.closed_until - now, *(self._wait(window, now) for window in windows))

    def room(self, windows: Iterable[Window], now: int) -> int:
        """How many calls are allowed at once now."""
        if self.closed_until > now:
            return 0
        return max(0, min(window.calls - self._since(now - window.milliseconds) for window in windows))

    def with_calls(self, number: int, windows: Iterable[Window], now: int, last: int) -> CallLog:
        """The log with calls that are made from ``now`` on, the last of them at ``last``."""
        widest = max(windows, key=lambda window: window.seconds)
        grain = 1 if widest.calls <= EXACT_CALLS else widest.milliseconds // _GROUPS
        grouped: dict[int, tuple[int, int]] = {}
        for at, calls in sorted((*self.groups, (last, number))):
            if at > now - widest.milliseconds:
                _, before = grouped.get(at // grain, (0, 0))
                grouped[at // grain] = (at, before + calls)
        return replace(self, groups=tuple(grouped.values()))

    def closed(self, until: int) -> CallLog:
        """The log after Klaviyo asked not to come back before a time."""
        return replace(self, closed_until=max(self.closed_until, until))

    def _since(self, moment: int) -> int:
        return sum(calls for at, calls in self.groups if at > moment)

    def _wait(self, window: Window, now: int) -> int:
        """Until the call leaves the window that is one too many beside a further one."""
        total = 0
        for at, calls in reversed(self.groups):
            total += calls
            if total >= window.calls:
                return at + window.milliseconds - now
        return 0
