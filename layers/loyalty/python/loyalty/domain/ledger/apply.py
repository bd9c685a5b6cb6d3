"""``apply``: a member after one more entry. The only place where a member's state comes from.

Posting uses it to compute what to store, replay and rebuild use it to compute what should be stored, so the two
cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.birthdays import birthday_moved
from loyalty.domain.ledger.caps import counted
from loyalty.domain.ledger.entry import Effect, Entry, EntryKind
from loyalty.domain.ledger.lots import LotDate, Lots, moved
from loyalty.domain.ledger.member import Hold, Member, Pending, Profile, Standing, Warned

ACTIVITY = frozenset({EntryKind.EARN, EntryKind.ACTIVATE, EntryKind.SPEND, EntryKind.CAPTURE})
"""The kinds that are something the customer did, birthday presents excepted; see ``is_activity``."""

ERASED = "erased"
"""Topic of the notice after which nothing says who the member was."""


def is_activity(effect: Effect) -> bool:
    """Whether the customer did something: it restarts the clock of the ``inactivity`` policy."""
    return effect.kind in ACTIVITY and not effect.birthday_done


def apply(member: Member, entry: Entry) -> Member:
    """The member after ``entry``.

    Raises:
        ValueError: the entry does not fit this state (a lot or claim would go below zero).
    """
    effect = entry.effect
    if effect.standing is Standing.MERGED:
        return _emptied(member, entry)
    pendings, holds = _claims(member, effect)
    lots = moved(member.lots, effect.redated, effect.lots)
    standing, profile = effect.standing or member.standing, _profile(member, entry)
    return replace(
        member,
        version=entry.seq,
        last_hash=entry.hash,
        standing=standing,
        amounts=member.amounts + effect.change,
        lots=lots,
        pendings=pendings,
        holds=holds,
        earned_in=counted(member.earned_in, effect.earned_in, entry.recorded_at),
        warned=_warned(member, entry, lots),
        expiry_revision=member.expiry_revision if effect.expiry_revision is None else effect.expiry_revision,
        birthday_since=_birthday_since(member, standing, profile, entry.recorded_at),
        birthday_done="" if effect.topic == ERASED else effect.birthday_done or member.birthday_done,
        profile=profile,
        created_at=member.created_at or entry.recorded_at,
        last_activity_at=entry.recorded_at if is_activity(effect) else member.last_activity_at,
    )


def replayed(program: ProgramSlug, member_id: MemberId, entries: Iterable[Entry]) -> Member:
    """Fold a whole journal, oldest entry first, into the member it describes."""
    member = Member(program, member_id)
    for entry in entries:
        member = apply(member, entry)
    return member


def _emptied(member: Member, entry: Entry) -> Member:
    return replace(
        Member(member.program, member.member_id),
        version=entry.seq,
        last_hash=entry.hash,
        standing=Standing.MERGED,
        merged_into=entry.effect.merged_into,
        created_at=member.created_at,
        last_activity_at=member.last_activity_at,
        expiry_revision=member.expiry_revision,
        profile=member.profile,
    )


def _claims(member: Member, effect: Effect) -> tuple[dict[str, Pending], dict[str, Hold]]:
    pendings = {**member.pendings, **effect.pendings}
    holds = {**member.holds, **effect.holds}
    for name, points in effect.closed.items():
        if name in holds:
            if holds.pop(name).points != points:
                raise ValueError("a hold closes as a whole")
            continue
        left = pendings[name].points - points
        if left < 0:
            raise ValueError("more is closed than was pending")
        if left:
            pendings[name] = replace(pendings[name], points=left)
        else:
            del pendings[name]
    return pendings, holds


def _warned(member: Member, entry: Entry, lots: Lots) -> dict[LotDate, Warned]:
    """What the member was told; dates that are over everywhere on earth, and hold no points, are forgotten."""
    over = (entry.recorded_at.date() - timedelta(days=1)).isoformat()
    told = {**member.warned, **entry.effect.warned}
    return {day: warned for day, warned in sorted(told.items()) if day >= over or day in lots}


def _birthday_since(member: Member, standing: Standing, profile: Profile, now: datetime) -> datetime | None:
    if standing is not Standing.MEMBER or not profile.birthday:
        return None
    if member.birthday_since is None or birthday_moved(member.profile.birthday, profile.birthday):
        return now
    return member.birthday_since


def _profile(member: Member, entry: Entry) -> Profile:
    if entry.effect.topic == ERASED:
        return Profile()
    if entry.private is None or not entry.private.profile:
        return member.profile
    return replace(member.profile, **entry.private.profile)
