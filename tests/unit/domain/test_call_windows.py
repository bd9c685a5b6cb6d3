"""Calls counted against windows: the law, what grouping costs, and what Klaviyo's own word does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.domain.call_windows import CallLog, Window

START = 1_787_000_000_000
FEW = (Window(1, 1), Window(15, 60), Window(100, 86_400))
SOME = (Window(10, 1), Window(150, 60))
MANY = (Window(350, 1), Window(3500, 60))


def made_by(windows: tuple[Window, ...], asked: list[tuple[int, int]]) -> list[int]:
    """When calls were made by somebody who asks for some at a time after each pause (milliseconds)."""
    log, now, made = CallLog(), START, []
    for pause, wanted in asked:
        now += pause
        number = min(wanted, log.room(windows, now))
        assert (number == 0) == (log.wait(windows, now) > 0)
        if number:
            log = log.with_calls(number, windows, now, now)
            made += [now] * number
    return made


def busiest(made: list[int], window: Window) -> int:
    """The most calls in any stretch of a window's length."""
    return max((sum(start <= at < start + window.milliseconds for at in made) for start in set(made)), default=0)


@given(
    st.sampled_from((FEW, SOME, MANY)),
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 60)), min_size=1, max_size=150),
)
def test_no_stretch_holds_more_than_a_window_allows(windows: tuple[Window, ...], asked: list[tuple[int, int]]) -> None:
    made = made_by(windows, asked)
    for window in windows:
        assert busiest(made, window) <= window.calls


@given(st.lists(st.integers(0, 400), min_size=1, max_size=200))
def test_the_wait_that_is_named_is_enough_and_not_too_long(pauses: list[int]) -> None:
    log, now = CallLog(), START
    for pause in pauses:
        now += pause
        wait = log.wait(SOME, now)
        assert log.wait(SOME, now + wait) == 0
        assert wait == 0 or log.wait(SOME, now + wait - 1) == 1
        log = log.with_calls(1, SOME, now + wait, now + wait)
        now += wait


@pytest.mark.slow
def test_a_steady_stream_gets_what_the_minute_allows() -> None:
    """The events lane lives from this window: 150 bulk requests of 1,000 events."""
    made = made_by(SOME, [(10, 1)] * 60_000)
    assert sum(at < START + 60_000 for at in made) == 150
    assert len(made) == 1500


def test_grouping_keeps_the_log_small_and_costs_less_than_a_twentieth() -> None:
    log, now, made = CallLog(), START, 0
    for _ in range(12_000):
        now += 10
        if number := min(20, log.room(MANY, now)):
            log = log.with_calls(number, MANY, now, now)
            made += number
        assert len(log.groups) <= 122
    assert made >= 2 * 3500 * 0.95


def test_the_day_is_kept_where_one_is_published() -> None:
    """R56: segments can be created 100 times a day."""
    made = made_by(FEW, [(5_000, 1)] * 17_280)
    assert len(made) == 100


def test_a_closed_log_opens_at_the_time_klaviyo_named_and_not_before() -> None:
    log = CallLog().closed(START + 5_000)
    assert (log.wait(SOME, START), log.room(SOME, START)) == (5_000, 0)
    assert log.closed(START + 1_000) == log
    assert (log.wait(SOME, START + 5_000), log.room(SOME, START + 5_000)) == (0, 10)
