"""Who goes on where members were merged."""

from __future__ import annotations

from collections.abc import Collection

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.member import Member, Standing
from loyalty.ports import Outbox

MOST_MERGES = 10
"""Merges in a row that are followed."""


def going_on(outbox: Outbox, slug: ProgramSlug, member_ids: Collection[MemberId]) -> dict[MemberId, Member]:
    """The member that each of these is by now: itself, or the one it was merged into; unknown ones are missing.

    Raises:
        Transient: storage is out of reach.
    """
    found: dict[MemberId, Member] = {}
    wanted = set(member_ids)
    for _ in range(MOST_MERGES):
        found |= outbox.members(slug, wanted)
        became = {MemberId(found[each].merged_into) for each in wanted if each in found}
        wanted = {each for each in became if each and each not in found}
        if not wanted:
            break
    followed = {each: _followed(found, each) for each in member_ids}
    return {each: member for each, member in followed.items() if member}


def _followed(members: dict[MemberId, Member], member_id: MemberId) -> Member | None:
    member = members.get(member_id)
    for _ in range(MOST_MERGES):
        if member is None or member.standing is not Standing.MERGED:
            break
        member = members.get(MemberId(member.merged_into))
    return member
