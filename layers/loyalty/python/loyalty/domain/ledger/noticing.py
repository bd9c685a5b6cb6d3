"""Decisions that settle who a member is and what is known of it: notices, identity, erasure, merging, re-dating."""

from __future__ import annotations

from loyalty.domain.ledger.apply import ERASED
from loyalty.domain.ledger.commands import Erase, Identify, MergeIn, MergeOut, Notify, Redate, Warn
from loyalty.domain.ledger.decisions import Case, Refusal, refused_standing
from loyalty.domain.ledger.earning import MAX_OPEN_CLAIMS
from loyalty.domain.ledger.entry import Effect, EntryKind
from loyalty.domain.ledger.lots import Lots, moved, take
from loyalty.domain.ledger.member import Member, Standing, Warned


def notify(case: Case, action: Notify) -> Effect | Refusal:
    """Record a fact without points. Nobody is told anything about members that are gone."""
    return refused_standing(case.member) or Effect(EntryKind.NOTICE, topic=action.topic)


def warn(case: Case, action: Warn) -> Effect | Refusal:
    """Record that a member is told of expiring points, once for each threshold and date (R67, R72)."""
    if refusal := refused_standing(case.member):
        return refusal
    told = case.member.warned.get(action.day)
    if not case.member.lots.get(action.day) or (told and told.days <= action.days):
        return Refusal("nothing_to_warn_of", "No points expire on this day that the member was not told of.")
    warned = Warned(action.days, case.today.isoformat())
    return Effect(EntryKind.NOTICE, topic="expiry_warning", warned={action.day: warned})


def identify(case: Case, action: Identify) -> Effect | Refusal:
    """Change who the member is known as, or its standing (R40, R181)."""
    if case.member.standing in (Standing.ERASED, Standing.MERGED):
        return gone(case.member)
    if action.standing in (Standing.ERASED, Standing.MERGED):
        return Refusal("invalid_standing", "A member is erased or merged by its own command.")
    known = case.member.version > 0 and action.standing is case.member.standing
    changed = None if known else action.standing
    return Effect(EntryKind.NOTICE, topic="identified", standing=changed)


def erase(case: Case, _: Erase) -> Effect | Refusal:
    """End a member's identity; the sums stay, without a name (R25). Members merged away are erased like others."""
    if case.member.standing is Standing.ERASED:
        return gone(case.member)
    standing = None if case.member.standing is Standing.MERGED else Standing.ERASED
    return Effect(EntryKind.NOTICE, topic=ERASED, standing=standing)


def redate(case: Case, _: Redate) -> Effect | Refusal:
    """Let the lots follow the first policy change they have not followed yet; see ``expiry.redated``."""
    unfollowed = case.terms.unfollowed(case.member.lots, case.member.expiry_revision)
    if unfollowed is None:
        return Refusal("nothing_to_redate", "The lots follow the present expiry policy already.")
    change, moves = unfollowed
    return Effect(EntryKind.NOTICE, topic="redated", redated=moves, expiry_revision=change.revision)


def merge_out(case: Case, action: MergeOut) -> Effect | Refusal:
    """Hand everything over and point to the member that goes on (W13)."""
    if refusal := refused_standing(case.member):
        return refusal
    return Effect(
        EntryKind.MERGE,
        change=-case.member.amounts,
        lots={day: -points for day, points in case.member.lots.items()},
        standing=Standing.MERGED,
        merged_into=action.into,
    )


def merge_in(case: Case, action: MergeIn) -> Effect | Refusal:
    """Take over the points, lots, claims and counts of another member; sums stay what they were together."""
    if refusal := refused_standing(case.member):
        return refusal
    merged = action.merged
    claims = {*merged.pendings, *merged.holds}
    own = {*case.member.pendings, *case.member.holds}
    if claims & own or len(claims) + len(own) > MAX_OPEN_CLAIMS:
        return Refusal("claims_collide", "Both members have open pendings or holds of one name, or too many of them.")
    return Effect(
        EntryKind.MERGE,
        change=merged.amounts,
        lots=_joined_lots(case.member, merged),
        pendings=merged.pendings,
        holds=merged.holds,
        earned_in=merged.earned_in,
        birthday_done=max(case.member.birthday_done, merged.birthday_done),
    )


def gone(member: Member) -> Refusal:
    """The refusal for a member that is no more."""
    return Refusal(f"member_{member.standing}", f"The member is {member.standing}; nothing about it can change.")


def _joined_lots(member: Member, merged: Member) -> Lots:
    """Lot changes of taking over ``merged``, a debt on either side paid from the soonest lots first."""
    both = moved(member.lots, merged.lots)
    debt = sum(both.values()) - max(0, (member.amounts + merged.amounts).available)
    left = moved(both, {day: -points for day, points in take(both, debt).items()})
    return {day: change for day in sorted({*both, *left}) if (change := left.get(day, 0) - member.lots.get(day, 0))}
