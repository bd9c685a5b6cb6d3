"""Decisions that correct: adjust by hand, reverse an earlier entry."""

from __future__ import annotations

from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import Adjust, Reverse
from loyalty.domain.ledger.decisions import (
    Case,
    Refusal,
    given,
    insufficient,
    points_effect,
    refused_standing,
    restored,
    taken,
    valid_points,
)
from loyalty.domain.ledger.earning import balance_cap_reached, balance_room, invalid_points
from loyalty.domain.ledger.entry import Effect, Entry, EntryKind
from loyalty.domain.ledger.lots import negated, total
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.noticing import gone
from loyalty.domain.ledger.terms import Overdraft


def adjust(case: Case, action: Adjust) -> Effect | Refusal:
    """Add or take points by hand. Taking more than there is follows the program's overdraft terms (R122)."""
    if refusal := refused_standing(case.member):
        return refusal
    if not valid_points(abs(action.points)):
        return invalid_points()
    if action.points > 0:
        if balance_room(case, action.points) < action.points:
            return balance_cap_reached(case)
        change = Amounts(available=action.points, earned=action.points)
        return points_effect(EntryKind.ADJUST, change, given(case, action.points, case.fresh_date))
    wanted = -action.points
    points = _recoverable(case, wanted)
    if points is None or points == 0:
        return insufficient(case, wanted)
    change = Amounts(available=-points, deducted=points)
    return points_effect(EntryKind.ADJUST, change, taken(case, points), shortfall=wanted - points)


def reverse(case: Case, action: Reverse) -> Effect | Refusal:
    """Undo an entry or part of it: earned points are taken back, spent, taken and expired ones are given back.

    All reversals of an entry together never exceed it (R167). Points are taken from the lot they were issued into
    first, and given back to the lots they came from. A reversal itself cannot be reversed: post the opposite.
    """
    if case.member.standing is Standing.MERGED:
        return gone(case.member)
    original = action.original
    if not _reversible(original):
        return unreversible(original)
    left = _size(original) - original.reversed_points
    points = left if action.points is None else action.points
    if left == 0:
        return Refusal("already_reversed", "All points of this entry have been reversed.", {"entry": original.id})
    if not 0 < points <= left:
        return Refusal(
            "exceeds_original",
            f"Between 1 and {left} points of this entry can still be reversed.",
            {"left": left},
        )
    if original.effect.change.earned > 0:
        return _take_back(case, original, points)
    return _give_back(case, original, points)


def unreversible(original: Entry) -> Refusal:
    """The refusal for entries that settled nothing: holds, pendings, notices, reversals."""
    return Refusal(
        "not_reversible",
        f"An entry of kind {original.kind.value!r} cannot be reversed; "
        "reverse an earn, activate, adjust, spend, capture or expire entry.",
        {"kind": original.kind.value},
    )


_REVERSIBLE = frozenset(
    {
        EntryKind.EARN,
        EntryKind.ACTIVATE,
        EntryKind.ADJUST,
        EntryKind.SPEND,
        EntryKind.CAPTURE,
        EntryKind.EXPIRE,
    }
)


def _reversible(original: Entry) -> bool:
    return original.kind in _REVERSIBLE and _size(original) > 0


def _size(original: Entry) -> int:
    change = original.effect.change
    return change.earned or change.spent or change.expired or change.deducted


def _take_back(case: Case, original: Entry, points: int) -> Effect | Refusal:
    recovered = _recoverable(case, points)
    if recovered is None:
        return insufficient(case, points)
    issued = {day: part for day, part in original.effect.lots.items() if part > 0}
    return points_effect(
        EntryKind.REVERSE,
        Amounts(available=-recovered, reversed=recovered),
        taken(case, recovered, first=issued),
        reverses=original.id,
        shortfall=points - recovered,
    )


def _give_back(case: Case, original: Entry, points: int) -> Effect:
    change = original.effect.change
    origin = original.effect.consumed or negated({d: p for d, p in original.effect.lots.items() if p < 0})
    return points_effect(
        EntryKind.REVERSE,
        Amounts(
            available=points,
            spent=-points if change.spent else 0,
            expired=-points if change.expired else 0,
            deducted=-points if change.deducted else 0,
        ),
        restored(case, origin, points, owed=_size(original) - total(origin), before=original.reversed_points),
        reverses=original.id,
    )


def _recoverable(case: Case, points: int) -> int | None:
    match case.terms.overdraft:
        case Overdraft.REFUSE:
            return points if points <= case.available else None
        case Overdraft.FLOOR_AT_ZERO:
            return min(points, max(0, case.available))
        case Overdraft.ALLOW_NEGATIVE:
            return points
