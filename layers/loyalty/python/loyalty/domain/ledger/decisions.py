"""What deciding answers, and the points mathematics that the decisions share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from loyalty.domain.ledger.amounts import MAX_POINTS, Amounts
from loyalty.domain.ledger.entry import Effect, Entry, EntryKind
from loyalty.domain.ledger.expiry import Inactivity, NoExpiry, restarted
from loyalty.domain.ledger.lots import NEVER, LotDate, Lots, coarsening, last_taken, moved, negated, take, total
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import local_date


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that does not happen. ``code`` is stable, ``message`` says what would have to be different."""

    code: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posting:
    """A command that happens: the entry to write, and the member before and after it."""

    before: Member
    entry: Entry
    after: Member


@dataclass(frozen=True, slots=True)
class Case:
    """All a decision looks at: the member, the terms, and the time."""

    member: Member
    terms: Terms
    now: datetime

    @property
    def today(self) -> date:
        """The program's calendar day."""
        return local_date(self.now, self.terms.timezone)

    @property
    def available(self) -> int:
        """Points the member can spend; below zero only under ``allow_negative``."""
        return self.member.amounts.available

    @property
    def clock_started(self) -> date:
        """The local day the inactivity clock last started: that of the last earn or spend, or of the policy itself."""
        active = self.member.last_activity_at
        since = self.terms.expiry_since
        return max(since, local_date(active, self.terms.timezone)) if active else since

    @property
    def fresh_date(self) -> LotDate:
        """The date of points that come in now."""
        return self.terms.expiry.lot_date(self.today)


def valid_points(points: int) -> bool:
    """True for an amount a command may move."""
    return 0 < points <= MAX_POINTS


def refused_standing(member: Member) -> Refusal | None:
    """Refuse members who take no part: excluded (R181), erased, merged."""
    if member.standing in (Standing.CANDIDATE, Standing.MEMBER):
        return None
    return Refusal(f"member_{member.standing}", f"The member is {member.standing} and takes no part in the program.")


def insufficient(case: Case, points: int) -> Refusal:
    """The refusal for taking more than there is."""
    return Refusal(
        "insufficient_points",
        f"The member has {case.available} points available, fewer than the {points} asked for.",
        {"available": case.available, "points": points},
    )


def given(case: Case, points: int, day: LotDate) -> dict[LotDate, int]:
    """Lot changes of ``points`` coming in under one date. Points that only pay off a debt make no lot."""
    return {day: _above_zero(case.available, points)}


def restored(case: Case, taken: Lots, points: int, *, owed: int = 0, before: int = 0) -> dict[LotDate, int]:
    """Lot changes of ``points`` coming back to where ``taken`` says they came from, after ``before`` came back already.

    They come back in the opposite order of going: first those that no lot held, because they went as a debt
    (``owed``), then the latest-expiring. What still pays off a debt makes no lot. A date that is over becomes a day
    ``restored_days`` ahead, so that points given back late can still be used; where nothing expires any more, they
    get no date.
    """
    from_debt = min(points, max(0, owed - before))
    back = last_taken(taken, points - from_debt, skip=max(0, before - owed))
    above = _above_zero(case.available, points)
    kept = last_taken(back, above)
    result: dict[LotDate, int] = {}
    for day, part in kept.items():
        _add(result, {_living_date(case, day): part})
    _add(result, {case.fresh_date: above - total(kept)})
    return result


def taken(case: Case, points: int, *, first: Lots | None = None) -> dict[LotDate, int]:
    """Lot changes of ``points`` going out, as negative numbers; what is not covered becomes a debt."""
    covered = max(0, case.available) - max(0, case.available - points)
    return negated(take(case.member.lots, covered, first=first))


def settled_lots(case: Case, effect: Effect, *, activity: bool) -> Effect:
    """Add what a posting does to the dates of other lots: the inactivity clock, and the limit on lots."""
    redated: dict[LotDate, int] = dict(effect.redated)
    if activity and case.terms.expiry.restarts_on_activity:
        after_taking = moved(case.member.lots, redated, effect.lots)
        _add(redated, restarted(after_taking, case.fresh_date))
    _add(redated, coarsening(moved(case.member.lots, redated, effect.lots)))
    return replace(effect, redated={day: change for day, change in sorted(redated.items()) if change})


def _add(lots: dict[LotDate, int], change: Lots) -> None:
    for day, points in change.items():
        lots[day] = lots.get(day, 0) + points


def _above_zero(available: int, points: int) -> int:
    return max(0, available + points) - max(0, available)


def _living_date(case: Case, day: LotDate) -> LotDate:
    if isinstance(case.terms.expiry, NoExpiry):
        return NEVER
    if day == NEVER:
        # It went before expiry was turned on: it gets the date it would have got then, had it been there.
        day = case.terms.expiry.lot_date(case.terms.expiry_since)
    if isinstance(case.terms.expiry, Inactivity):
        # Coming back is neither an earn nor a spend: it keeps no balance alive.
        day = max(day, case.terms.expiry.lot_date(case.clock_started))
    if day >= case.today.isoformat():
        return day
    return (case.today + timedelta(days=case.terms.restored_days)).isoformat()


def points_effect(kind: EntryKind, change: Amounts, lots: Lots, **parts: Any) -> Effect:
    """An effect that moves points."""
    return Effect(kind, change, {day: points for day, points in sorted(lots.items()) if points}, **parts)
