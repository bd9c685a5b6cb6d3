"""Klaviyo's rate limits: fixed windows of one second, one minute and, for some endpoints, one day.

Source: `x-klaviyo-ratelimit` in the official contract and "Rate limits, status codes, and errors": quotas are per
account and app for OAuth, per account for private keys; a 429 carries Retry-After and no RateLimit-* headers; other
answers describe the steady window.
"""

import math
import threading
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field

from local.fake_klaviyo.clock import Clock, client_seconds
from local.fake_klaviyo.errors import ApiError, Problem
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.switches import Switches

_REMEMBERED_CALLS = 200_000


@dataclass(frozen=True)
class Limits:
    """How many calls an endpoint takes per second, minute and (if given) day."""

    burst: int
    steady: int
    daily: int | None = None

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Pairs of window length in seconds and calls allowed in it, shortest first."""
        daily = () if self.daily is None else ((86_400, self.daily),)
        return ((1, self.burst), (60, self.steady), *daily)

    @property
    def header(self) -> str:
        """The `RateLimit-Limit` value, such as `75, 75;w=1, 750;w=60`."""
        parts = [f"{allowed};w={seconds}" for seconds, allowed in self.windows]
        return ", ".join([str(self.burst), *parts])


EXTRA_SMALL = Limits(1, 15)
EXTRA_SMALL_DAILY = Limits(1, 15, 100)
SMALL = Limits(3, 60)
MEDIUM = Limits(10, 150)
LARGE = Limits(75, 750)
EXTRA_LARGE = Limits(350, 3500)


@dataclass(frozen=True)
class QuotaKey:
    """Whose quota a call draws on: an account's private keys together, or one installed app."""

    account: str
    client: str
    operation: str


@dataclass
class _Quota:
    limits: Limits
    windows: dict[int, tuple[int, int]] = field(default_factory=dict)
    taken: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_CALLS))
    throttled: int = 0
    peaks: dict[int, int] = field(default_factory=dict)

    def used(self, seconds: int, now: float) -> int:
        index, used = self.windows.get(seconds, (-1, 0))
        return used if index == math.floor(now / seconds) else 0

    def count(self, now: float) -> None:
        self.taken.append(now)
        for seconds, _ in self.limits.windows:
            used = self.used(seconds, now) + 1
            self.windows[seconds] = (math.floor(now / seconds), used)
            self.peaks[seconds] = max(used, self.peaks.get(seconds, 0))


def _seconds_left(window: int, now: float) -> float:
    return (math.floor(now / window) + 1) * window - now


class RateLimiter:
    """Counts calls per quota, refuses those over a limit and reports what was used."""

    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock = clock
        self._switches = switches
        self._quotas: dict[QuotaKey, _Quota] = {}
        self._lock = threading.Lock()

    def take(self, key: QuotaKey, limits: Limits) -> dict[str, str]:
        """Count one call; returns its RateLimit-* headers, raises the 429 when a window is full."""
        with self._lock:
            now = self._clock.elapsed()
            quota = self._quotas.setdefault(key, _Quota(limits))
            full = [seconds for seconds, allowed in limits.windows if quota.used(seconds, now) >= allowed]
            if full and self._switches.rate_limits:
                quota.throttled += 1
                raise throttled(self._clock, max(_seconds_left(seconds, now) for seconds in full))
            quota.count(now)
            remaining = max(0, limits.steady - quota.used(60, now))
            return {
                "RateLimit-Limit": limits.header,
                "RateLimit-Remaining": str(remaining),
                "RateLimit-Reset": str(client_seconds(self._clock, _seconds_left(60, now))),
            }

    def clear(self) -> None:
        """Forget all calls and start every window anew."""
        with self._lock:
            self._quotas.clear()

    def report(self) -> list[JsonObject]:
        """Per quota: calls taken and refused, and the busiest window of each length.

        `peak` counts within the fixed windows that are enforced, `sliding_peak` within any stretch of that length.
        """
        with self._lock:
            return [_quota_report(key, quota) for key, quota in self._quotas.items()]


def _quota_report(key: QuotaKey, quota: _Quota) -> JsonObject:
    windows = [
        {
            "seconds": seconds,
            "allowed": allowed,
            "peak": quota.peaks.get(seconds, 0),
            "sliding_peak": sliding_peak(list(quota.taken), seconds),
        }
        for seconds, allowed in quota.limits.windows
    ]
    return {
        "account": key.account,
        "client": key.client,
        "operation": key.operation,
        "calls": len(quota.taken),
        "throttled": quota.throttled,
        "exceeded": quota.throttled > 0 or any(quota.peaks.get(s, 0) > a for s, a in quota.limits.windows),
        "windows": windows,
    }


def sliding_peak(times: list[float], seconds: float) -> int:
    """The most calls in any stretch of `seconds`, from ascending call times."""
    return max((bisect_right(times, start + seconds - 1e-9) - i for i, start in enumerate(times)), default=0)


def throttled(clock: Clock, seconds: float, retry_after: int | None = None) -> ApiError:
    """The 429 for a window that opens again in `seconds` of Klaviyo time (or `retry_after` client seconds)."""
    wait = client_seconds(clock, seconds) if retry_after is None else retry_after
    unit = "second" if wait == 1 else "seconds"
    detail = f"Request was throttled. Expected available in {wait} {unit}."
    problem = Problem(detail, "/data", code="throttled")
    return ApiError(429, [problem], {"Retry-After": str(wait)})
