"""The days of the naive ledger, found by walking to them: see ``naive_ledger`` for what this is for."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from itertools import groupby
from typing import Any

from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry

Slip = str
"""A point: the last day it can be used as ISO text, or ``UNDATED``."""

UNDATED: Slip = "never"
ONE_DAY = timedelta(days=1)


@cache
def last_use(policy: ExpiryPolicy, day: date) -> Slip:
    """The last day a point can be used that came on ``day``, by walking there day by day or month by month."""
    match policy:
        case NoExpiry():
            return UNDATED
        case AfterEarning(period) | Inactivity(period):
            year, month = day.year, day.month
            for _ in range(period.months):
                year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            number = day.day
            while not _exists(year, month, number):
                number -= 1
            walked = date(year, month, number)
            for _ in range(period.days):
                walked += ONE_DAY
            return walked.isoformat()
        case Calendar(month, number, keep_days):
            walked = day
            for _ in range(keep_days):
                walked += ONE_DAY
            while not (walked.month == month and _is_the_day(walked, number)):
                walked += ONE_DAY
            return walked.isoformat()


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _is_the_day(day: date, number: int) -> bool:
    is_last = (day + ONE_DAY).month != day.month
    return day.day == number or (is_last and day.day < number)


def followed(slips: list[Slip], policy: ExpiryPolicy, since: date) -> list[Slip]:
    """The slips after a change of policy: what was over stays over, the rest lives at least as long as fresh ones."""
    target = last_use(policy, since)
    return [slip if slip < since.isoformat() else _later(slip, target) for slip in slips]


def _later(slip: Slip, target: Slip) -> Slip:
    if UNDATED in (slip, target):
        return target
    return max(slip, target)


def span(period: CapPeriod, day: date) -> Any:
    """What tells two spans of a period apart."""
    match period:
        case CapPeriod.DAY:
            return day
        case CapPeriod.WEEK:
            return day - timedelta(days=day.weekday())
        case CapPeriod.MONTH:
            return (day.year, day.month)
        case CapPeriod.YEAR:
            return day.year
        case CapPeriod.EVER:
            return None


def next_merge(dates: list[Slip]) -> tuple[Slip, Slip] | None:
    for same in (_monday_of, lambda slip: slip[:7], lambda slip: slip[:4]):
        groups = [list(group) for _, group in groupby(dates, key=same)]
        if crowded := [group for group in groups if len(group) > 1]:
            return crowded[-1][0], crowded[-1][-1]
    return None


def _monday_of(slip: Slip) -> str:
    day = date.fromisoformat(slip)
    return (day - timedelta(days=day.weekday())).isoformat()
