"""Staying below published limits within one process."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.adapters.klaviyo.operations import BULK_CREATE_EVENTS, CREATE_EVENT, GET_ACCOUNTS, Operation
from loyalty.domain.identity import ProgramSlug
from tests.fakes.clocks import FixedClock

CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")


def take(limits: CallLimits, operation: Operation, program: ProgramSlug = CANDLES) -> float:
    return limits.take(program, operation.name, operation.windows)


def test_a_call_is_free_until_a_window_is_full() -> None:
    clock = FixedClock()
    limits = CallLimits(clock)
    assert [take(limits, BULK_CREATE_EVENTS) for _ in range(11)] == [*[0.0] * 10, 1.0]
    clock.advance(seconds=0.4)
    assert abs(take(limits, BULK_CREATE_EVENTS) - 0.6) < 1e-6
    clock.advance(seconds=0.7)
    assert take(limits, BULK_CREATE_EVENTS) == 0.0


def test_the_minute_is_kept_too() -> None:
    clock = FixedClock()
    limits = CallLimits(clock)
    for _ in range(15):
        assert take(limits, GET_ACCOUNTS) == 0.0
        clock.advance(seconds=1.001)
    assert 40 < take(limits, GET_ACCOUNTS) < 60


def test_programs_and_operations_have_limits_of_their_own() -> None:
    limits = CallLimits(FixedClock())
    assert take(limits, GET_ACCOUNTS) == 0.0
    assert take(limits, GET_ACCOUNTS) == 1.0
    assert take(limits, GET_ACCOUNTS, SOAPS) == 0.0
    assert take(limits, CREATE_EVENT) == 0.0


def test_after_klaviyo_asked_to_stay_away_nobody_calls() -> None:
    clock = FixedClock()
    limits = CallLimits(clock)
    limits.close(CANDLES, CREATE_EVENT.name, 17)
    assert (take(limits, CREATE_EVENT), take(limits, CREATE_EVENT, SOAPS)) == (17.0, 0.0)
    clock.advance(seconds=17)
    assert take(limits, CREATE_EVENT) == 0.0


@given(st.lists(st.floats(0, 2), min_size=1, max_size=400))
def test_no_stretch_of_a_window_ever_holds_more_calls_than_it_may(pauses: list[float]) -> None:
    """Klaviyo's windows begin when they like, so every stretch of their length counts."""
    clock = FixedClock()
    limits = CallLimits(clock)
    made: list[float] = []
    for pause in pauses:
        clock.time += timedelta(seconds=pause)
        if take(limits, BULK_CREATE_EVENTS) == 0.0:
            made.append(clock.now().timestamp())
    for window in BULK_CREATE_EVENTS.windows:
        for start in made:
            assert sum(start <= moment < start + window.seconds - 1e-6 for moment in made) <= window.calls
