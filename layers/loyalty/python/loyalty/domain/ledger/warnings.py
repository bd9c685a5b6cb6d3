"""Warnings of expiring points: which is due, and when the next one is (R67, R72).

A threshold is a number of days before a lot's last day; its warning is due when that day begins in the program's time
zone. Each lot date is warned of once for each threshold. If several thresholds have passed by the time a member is
looked at (the sweep was down, or the points came late), only the nearest one is told: two warnings at once would say
the same thing twice. A threshold set later counts from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from loyalty.domain.ledger.lots import NEVER, LotDate
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import end_of_day, local_date


def due_warning(member: Member, terms: Terms, now: datetime) -> tuple[LotDate, int] | None:
    """The warning to give now: the lot's date and the threshold in days; the soonest-expiring lot first."""
    today = local_date(now, terms.timezone)
    for day in _expiring(member, terms, today):
        passed = [days for days in terms.warning_days if day - timedelta(days=days) <= today]
        if passed and min(passed) < _told(member, day):
            return day.isoformat(), min(passed)
    return None


def next_warning(member: Member, terms: Terms) -> datetime | None:
    """When the next warning is due (aware UTC), in the past if it is overdue; None when there is none to give."""
    moments = [
        end_of_day(day - timedelta(days=days + 1), terms.timezone)
        for day in _expiring(member, terms, date.min)
        for days in terms.warning_days
        if days < _told(member, day)
    ]
    return min(moments, default=None)


def last_day(member: Member, terms: Terms, lot_date: LotDate) -> date:
    """The last day on which a dated lot can be spent; ``date.max`` while it waits for its last warning.

    With ``warned_first`` that is the lot's date, or the nearest threshold's days after the member was warned at it,
    whichever is later. Members nobody warns, the excluded ones, keep the lot's date.
    """
    day = date.fromisoformat(lot_date)
    if not (terms.warned_first and terms.warning_days and _is_warned(member)):
        return day
    nearest, told = min(terms.warning_days), member.warned.get(lot_date)
    if told is None or told.days > nearest:
        return date.max
    return max(day, date.fromisoformat(told.on) + timedelta(days=nearest))


def _expiring(member: Member, terms: Terms, today: date) -> Iterator[date]:
    if _is_warned(member):
        for lot_date in sorted(member.lots):
            if lot_date != NEVER and last_day(member, terms, lot_date) >= today:
                yield date.fromisoformat(lot_date)


def _is_warned(member: Member) -> bool:
    return member.standing in (Standing.CANDIDATE, Standing.MEMBER)


def _told(member: Member, day: date) -> int:
    """The nearest threshold this date was warned of at, or more than any."""
    warned = member.warned.get(day.isoformat())
    return warned.days if warned else 1_000_000
