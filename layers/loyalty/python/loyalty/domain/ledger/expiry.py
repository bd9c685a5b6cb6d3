"""When points expire: the four policies of a program, and what happens when a policy changes.

Points of a lot dated D can be spent until the end of day D in the program's time zone. A policy only ever says
which date points get; nothing expires at the moment a policy changes (docs/ledger.md, "Lots and expiry").
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from loyalty.domain.ledger.lots import NEVER, LotDate, Lots


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time in whole calendar months, then days."""

    months: int = 0
    days: int = 0

    def after(self, day: date) -> date:
        """The day this period after ``day``; a month that is too short ends on its last day."""
        months = day.year * 12 + day.month - 1 + self.months
        year, month = divmod(months, 12)
        last = monthrange(year, month + 1)[1]
        return date(year, month + 1, min(day.day, last)) + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class NoExpiry:
    """Points live for ever."""

    restarts_on_activity = False

    def lot_date(self, _: date) -> LotDate:
        """The date of points that come in on any day."""
        return NEVER


@dataclass(frozen=True, slots=True)
class AfterEarning:
    """Each lot lives for a period after the day it was earned."""

    period: Period
    restarts_on_activity = False

    def lot_date(self, day: date) -> LotDate:
        """The date of points that come in on ``day``."""
        return self.period.after(day).isoformat()


@dataclass(frozen=True, slots=True)
class Inactivity:
    """The whole balance lives for a period after the member last earned or spent (Smile's model)."""

    period: Period
    restarts_on_activity = True

    def lot_date(self, day: date) -> LotDate:
        """The date of points that come in on ``day``."""
        return self.period.after(day).isoformat()


@dataclass(frozen=True, slots=True)
class Calendar:
    """Points expire on one day of the year: the first such day at least ``keep_days`` after they were earned."""

    month: int
    day: int
    keep_days: int = 0
    restarts_on_activity = False

    def lot_date(self, day: date) -> LotDate:
        """The date of points that come in on ``day``."""
        earliest = day + timedelta(days=self.keep_days)
        this_year = self._in(earliest.year)
        return (this_year if this_year >= earliest else self._in(earliest.year + 1)).isoformat()

    def _in(self, year: int) -> date:
        return date(year, self.month, min(self.day, monthrange(year, self.month)[1]))


ExpiryPolicy = NoExpiry | AfterEarning | Inactivity | Calendar


def restarted(lots: Lots, new_date: LotDate) -> dict[LotDate, int]:
    """The signed moves that bring every lot to ``new_date``, except those that have a later date already."""
    moves: dict[LotDate, int] = {}
    for day, points in lots.items():
        if day < new_date or new_date < day == NEVER:
            moves[day] = -points
            moves[new_date] = moves.get(new_date, 0) + points
    return moves


def redated(lots: Lots, policy: ExpiryPolicy, changed_on: date) -> dict[LotDate, int]:
    """The signed moves that a change of policy causes.

    The clock starts on the day of the change: each lot gets the later of its own date and the date points earned
    that day would get, so shortening expiry never expires anything early. Points without a date get that date when
    expiry is turned on. Lots whose day was over by then stay as they are and expire. With expiry off,
    nothing has a date any more.
    """
    alive = {day: points for day, points in lots.items() if day >= changed_on.isoformat()}
    return restarted(alive, policy.lot_date(changed_on))


def schedule(lots: Lots) -> list[tuple[date, int]]:
    """A member's expiry schedule: (last day, points), soonest first; points that never expire are left out (W4)."""
    return [(date.fromisoformat(day), points) for day, points in sorted(lots.items()) if day != NEVER]
