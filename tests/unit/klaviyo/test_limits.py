"""Staying below published limits."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.adapters.klaviyo.operations import BULK_CREATE_EVENTS, CREATE_EVENT, GET_ACCOUNTS
from tests.fakes.clocks import FixedClock


def test_a_call_is_free_until_a_window_is_full() -> None:
    clock = FixedClock()
    limits = CallLimits(clock)
    assert [limits.take("candles", BULK_CREATE_EVENTS) for _ in range(11)] == [*[0.0] * 10, 1.0]
    clock.advance(seconds=0.4)
    assert abs(limits.take("candles", BULK_CREATE_EVENTS) - 0.6) < 1e-6
    clock.advance(seconds=0.7)
    assert limits.take("candles", BULK_CREATE_EVENTS) == 0.0


def test_the_minute_is_kept_too() -> None:
    clock = FixedClock()
    limits = CallLimits(clock)
    for _ in range(15):
        assert limits.take("candles", GET_ACCOUNTS) == 0.0
        clock.advance(seconds=1.001)
    assert 40 < limits.take("candles", GET_ACCOUNTS) < 60


def test_programs_and_operations_have_limits_of_their_own() -> None:
    limits = CallLimits(FixedClock())
    assert limits.take("candles", GET_ACCOUNTS) == 0.0
    assert limits.take("candles", GET_ACCOUNTS) == 1.0
    assert limits.take("soaps", GET_ACCOUNTS) == 0.0
    assert limits.take("candles", CREATE_EVENT) == 0.0


@given(st.lists(st.floats(0, 2), min_size=1, max_size=400))
def test_no_stretch_of_a_window_ever_holds_more_calls_than_it_may(pauses: list[float]) -> None:
    """Klaviyo's windows begin when they like, so every stretch of their length counts."""
    clock = FixedClock()
    limits = CallLimits(clock)
    made: list[float] = []
    for pause in pauses:
        clock.time += timedelta(seconds=pause)
        if limits.take("candles", BULK_CREATE_EVENTS) == 0.0:
            made.append(clock.now().timestamp())
    for window in BULK_CREATE_EVENTS.windows:
        for start in made:
            assert sum(start <= moment < start + window.seconds - 1e-6 for moment in made) <= window.calls
