"""The full sync's benchmark in sizes of seconds: nobody lost or sent twice, every call allowed, no call wasted."""

from __future__ import annotations

import pytest

from benchmarks.counting_klaviyo import least_seconds
from benchmarks.full_sync import measure


@pytest.mark.parametrize("size", [1_000, 12_000])
def test_a_full_sync_takes_as_few_calls_as_its_bytes_allow(size: int) -> None:
    """R28, R31: everybody with an address once, whoever has none counted."""
    measured = measure(size)
    assert (measured.off, measured.throttled) == (0, 0)
    assert measured.calls == measured.least_calls
    assert measured.seconds <= measured.least_seconds * 1.1


@pytest.mark.parametrize(("calls", "seconds"), [(0, 0), (1, 0), (10, 0), (11, 1), (150, 14), (151, 60), (162, 61)])
def test_the_least_time_is_that_of_the_published_windows(calls: int, seconds: int) -> None:
    assert least_seconds(calls) == seconds
