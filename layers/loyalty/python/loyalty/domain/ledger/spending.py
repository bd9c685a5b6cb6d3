"""Decisions that take points out: spend, hold, capture, release, expire."""

from __future__ import annotations

from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import Capture, Expire, PlaceHold, Release, Spend
from loyalty.domain.ledger.decisions import (
    Case,
    Refusal,
    insufficient,
    points_effect,
    refused_standing,
    restored,
    taken,
    valid_points,
)
from loyalty.domain.ledger.earning import invalid_points, refused_claim
from loyalty.domain.ledger.entry import Effect, EntryKind
from loyalty.domain.ledger.lots import last_taken, negated, total
from loyalty.domain.ledger.member import Hold
from loyalty.domain.ledger.warnings import last_day
from loyalty.domain.moments import whole_milliseconds


def spend(case: Case, action: Spend) -> Effect | Refusal:
    """Take points for good, soonest-expiring first (W3); never more than are available (W2)."""
    if refusal := refused_standing(case.member):
        return refusal
    if not valid_points(action.points):
        return invalid_points()
    if action.points > case.available:
        return insufficient(case, action.points)
    change = Amounts(available=-action.points, spent=action.points)
    return points_effect(EntryKind.SPEND, change, taken(case, action.points))


def place_hold(case: Case, action: PlaceHold) -> Effect | Refusal:
    """Set points aside; they leave their lots, so they neither can be spent twice nor expire meanwhile (W7)."""
    if refusal := refused_standing(case.member) or refused_claim(case, action.hold_id):
        return refusal
    if not valid_points(action.points):
        return invalid_points()
    if action.points > case.available:
        return insufficient(case, action.points)
    lots = taken(case, action.points)
    hold = Hold(action.points, negated(lots), whole_milliseconds(action.due_at))
    change = Amounts(available=-action.points, held=action.points)
    return points_effect(EntryKind.HOLD, change, lots, holds={action.hold_id: hold})


def capture(case: Case, action: Capture) -> Effect | Refusal:
    """Spend what was held, or part of it; the rest comes back to its lots."""
    hold = case.member.holds.get(action.hold_id)
    if hold is None:
        return unknown_hold(action.hold_id)
    points = hold.points if action.points is None else action.points
    if not 0 < points <= hold.points:
        return Refusal(
            "exceeds_hold",
            f"Between 1 and {hold.points} points of this hold can be captured.",
            {"held": hold.points},
        )
    rest = hold.points - points
    consumed = dict(hold.lots)
    back = restored(case, hold.lots, rest)
    for day, part in last_taken(hold.lots, rest).items():
        consumed[day] -= part
    return points_effect(
        EntryKind.CAPTURE,
        Amounts(available=rest, held=-hold.points, spent=points),
        back,
        closed={action.hold_id: hold.points},
        consumed={day: part for day, part in consumed.items() if part},
    )


def release(case: Case, action: Release) -> Effect | Refusal:
    """Give a hold's points back to the lots they came from."""
    hold = case.member.holds.get(action.hold_id)
    if hold is None:
        return unknown_hold(action.hold_id)
    return points_effect(
        EntryKind.RELEASE,
        Amounts(available=hold.points, held=-hold.points),
        restored(case, hold.lots, hold.points),
        closed={action.hold_id: hold.points},
    )


def expire(case: Case, action: Expire) -> Effect | Refusal:
    """Let overdue lots expire: those dated up to a day that is over in the program's time zone (R175)."""
    if action.through >= case.today:
        return Refusal("not_due", "Points can be spent until the end of their last day.")
    overdue = {
        day: points
        for day, points in case.member.lots.items()
        if day <= action.through.isoformat() and last_day(case.member, case.terms, day) < case.today
    }
    points = total(overdue)
    if not points:
        return Refusal("nothing_to_expire", "No points have reached their last day.")
    return points_effect(EntryKind.EXPIRE, Amounts(available=-points, expired=points), negated(overdue))


def unknown_hold(name: str) -> Refusal:
    """The refusal for a hold that is not open, because it never was or has been captured or released."""
    return Refusal("unknown_hold", f"There is no open hold named {name!r}.")
