"""Birthday points: for which birthday a member is to get them, and when (R169).

A birthday begins with its day in the program's time zone; somebody born on 29 February has it on the 28th in other
years. Only members who have joined have one, and only ``SETTLED_DAYS`` after the program learnt it: setting or moving
a birthday to a day that is close brings nothing before the year after. Between two birthdays that were dealt with
lies a whole year, so no change of the date, and no merging of members, makes two of them out of one year. A sweep that
was down pays up to ``LATE_DAYS`` late; what is missed by more is noted and not paid.
"""

from __future__ import annotations

from calendar import isleap
from datetime import date, datetime, timedelta

from loyalty.domain.errors import Invalid
from loyalty.domain.ledger.expiry import Period
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import end_of_day, local_date

SETTLED_DAYS = 30
"""Days for which a birthday must have been known when it comes."""

LATE_DAYS = 60
"""Days after a birthday on which its points are still given."""

_EARLIEST = 1900
_YEAR = Period(months=12)


def valid_birthday(text: str) -> str:
    """Check a birthday: ``YYYY-MM-DD`` from 1900 on, or empty for none.

    Raises:
        Invalid: the text is no such date.
    """
    born = _date(text)
    if text and (born is None or born.year < _EARLIEST):
        raise Invalid("A birthday is a date from 1900 on, written YYYY-MM-DD.", code="invalid_birthday")
    return text


def birthday_moved(before: str, after: str) -> bool:
    """Whether another day of the year is meant; correcting the year alone moves nothing."""
    return before[4:] != after[4:]


def due_birthday(member: Member, terms: Terms, now: datetime) -> tuple[date, int] | None:
    """The birthday to deal with now, the latest of those that have come, and the points to give for it.

    The points are 0 when it is too late for them, or when the balance cap leaves no room.
    """
    today = local_date(now, terms.timezone)
    first = _first_open(member, terms)
    if first is None or first > today:
        return None
    born = date.fromisoformat(member.profile.birthday)
    latest = max(day for year in (first.year, today.year - 1, today.year) if first <= (day := _in(born, year)) <= today)
    late = (today - latest).days > LATE_DAYS
    return latest, 0 if late or _is_full(member, terms) else terms.birthday.points


def next_birthday(member: Member, terms: Terms) -> datetime | None:
    """When the next birthday to deal with begins (aware UTC), in the past if it is overdue; None when there is none."""
    first = _first_open(member, terms)
    return end_of_day(first - timedelta(days=1), terms.timezone) if first else None


def _first_open(member: Member, terms: Terms) -> date | None:
    """The first birthday that was not dealt with."""
    born = _date(member.profile.birthday)
    if not terms.birthday.points or member.birthday_since is None or born is None:
        return None
    known = local_date(member.birthday_since, terms.timezone)
    earliest = max(known + timedelta(days=SETTLED_DAYS), terms.birthday.since)
    if member.birthday_done:
        earliest = max(earliest, _YEAR.after(date.fromisoformat(member.birthday_done)))
    this_year = _in(born, earliest.year)
    return this_year if this_year >= earliest else _in(born, earliest.year + 1)


def _in(born: date, year: int) -> date:
    if (born.month, born.day) == (2, 29) and not isleap(year):
        return date(year, 2, 28)
    return born.replace(year=year)


def _is_full(member: Member, terms: Terms) -> bool:
    cap = terms.balance_cap
    return cap is not None and member.amounts.available + member.amounts.held >= cap


def _date(text: str) -> date | None:
    try:
        born = date.fromisoformat(text)
    except ValueError:
        return None
    return born if born.isoformat() == text else None
