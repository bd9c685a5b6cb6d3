"""Decisions that bring points in: earn, pend, activate, cancel."""

from __future__ import annotations

from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import Activate, Cancel, Celebrate, Earn, Pend
from loyalty.domain.ledger.decisions import (
    Case,
    Refusal,
    given,
    points_effect,
    refused_standing,
    valid_points,
)
from loyalty.domain.ledger.entry import Effect, EntryKind
from loyalty.domain.ledger.member import Earned, Pending
from loyalty.domain.moments import whole_milliseconds

MAX_OPEN_CLAIMS = 100
"""Open pendings and holds a member may have at once; keeps the member item small."""


def earn(case: Case, action: Earn) -> Effect | Refusal:
    """Grant what caps and balance cap leave room for; refuse when they leave none."""
    if refusal := refused_standing(case.member):
        return refusal
    if not valid_points(action.points):
        return invalid_points()
    limits = [(cap.bucket(action.rule, case.today), cap) for cap in action.caps]
    buckets = sorted({name for name, _ in limits})
    room = [cap.room(case.member.earned_in.get(name, Earned())) for name, cap in limits]
    granted = min([action.points, *(points for points in room if points is not None)])
    if granted <= 0:
        return Refusal(
            "earn_cap_reached",
            f"The rule {action.rule!r} has paid all it may in this period.",
            {"rule": action.rule, "buckets": buckets},
        )
    granted = min(granted, balance_room(case, granted))
    if granted <= 0:
        return balance_cap_reached(case)
    return points_effect(
        EntryKind.EARN,
        Amounts(available=granted, earned=granted),
        given(case, granted, case.fresh_date),
        rule=action.rule,
        earned_in={name: Earned(1, granted) for name in buckets},
        shortfall=action.points - granted,
    )


def pend(case: Case, action: Pend) -> Effect | Refusal:
    """Promise points for later; they count nowhere until activated (R44)."""
    if refusal := refused_standing(case.member) or refused_claim(case, action.pending_id):
        return refusal
    if not valid_points(action.points):
        return invalid_points()
    return Effect(
        EntryKind.PEND,
        Amounts(pending=action.points),
        pendings={action.pending_id: Pending(action.points, whole_milliseconds(action.due_at))},
    )


def activate(case: Case, action: Activate) -> Effect | Refusal:
    """Make pending points available, as far as the balance cap leaves room; what does not fit is void."""
    pending = case.member.pendings.get(action.pending_id)
    if pending is None:
        return unknown_pending(action.pending_id)
    granted = balance_room(case, pending.points)
    return points_effect(
        EntryKind.ACTIVATE,
        Amounts(pending=-pending.points, available=granted, earned=granted),
        given(case, granted, case.fresh_date),
        closed={action.pending_id: pending.points},
        shortfall=pending.points - granted,
    )


def cancel(case: Case, action: Cancel) -> Effect | Refusal:
    """Void pending points, all or some; available points do not move (R166)."""
    pending = case.member.pendings.get(action.pending_id)
    if pending is None:
        return unknown_pending(action.pending_id)
    points = pending.points if action.points is None else action.points
    if not 0 < points <= pending.points:
        return Refusal(
            "exceeds_pending",
            f"Between 1 and {pending.points} points of this claim can be cancelled.",
            {"pending": pending.points},
        )
    return Effect(EntryKind.CANCEL, Amounts(pending=-points), closed={action.pending_id: points})


def celebrate(case: Case, action: Celebrate) -> Effect | Refusal:
    """Give points for a birthday, once a year (R169); without points, note that it was missed."""
    if refusal := refused_standing(case.member):
        return refusal
    if action.day.isoformat() <= case.member.birthday_done:
        return Refusal("birthday_done", "This birthday was dealt with before.")
    day = action.day.isoformat()
    if not action.points:
        return Effect(EntryKind.NOTICE, topic="birthday_missed", birthday_done=day)
    if not valid_points(action.points):
        return invalid_points()
    granted = balance_room(case, action.points)
    if granted <= 0:
        return balance_cap_reached(case)
    return points_effect(
        EntryKind.EARN,
        Amounts(available=granted, earned=granted),
        given(case, granted, case.fresh_date),
        rule="birthday",
        shortfall=action.points - granted,
        birthday_done=day,
    )


def balance_room(case: Case, points: int) -> int:
    """How many of ``points`` the balance cap lets in (W10)."""
    cap = case.terms.balance_cap
    if cap is None:
        return points
    return max(0, min(points, cap - case.available - case.member.amounts.held))


def balance_cap_reached(case: Case) -> Refusal:
    """The refusal for points that do not fit under the balance cap."""
    return Refusal(
        "balance_cap_reached",
        f"The member may have at most {case.terms.balance_cap} points.",
        {"balance_cap": case.terms.balance_cap, "available": case.available},
    )


def refused_claim(case: Case, name: str) -> Refusal | None:
    """Refuse a pending or hold whose name is taken, and one too many."""
    open_claims = {*case.member.pendings, *case.member.holds}
    if name in open_claims:
        return Refusal("claim_exists", f"There is an open pending or hold named {name!r} already.")
    if len(open_claims) >= MAX_OPEN_CLAIMS:
        return Refusal("too_many_open_claims", f"A member has at most {MAX_OPEN_CLAIMS} open pendings and holds.")
    return None


def invalid_points() -> Refusal:
    """The refusal for an amount that is no amount."""
    return Refusal("invalid_points", "Points must be a positive whole number of at most 1,000,000,000.")


def unknown_pending(name: str) -> Refusal:
    """The refusal for a pending that is not open, because it never was or has been activated or cancelled."""
    return Refusal("unknown_pending", f"There are no pending points named {name!r}.")
