"""``decide``: (member, command) -> posting or refusal. Pure: the time and the salt are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from loyalty.domain.ledger.apply import apply, is_activity
from loyalty.domain.ledger.commands import (
    Action,
    Activate,
    Adjust,
    Cancel,
    Capture,
    Celebrate,
    Command,
    Earn,
    Erase,
    Expire,
    Identify,
    Introduction,
    MergeIn,
    MergeOut,
    Notify,
    Pend,
    PlaceHold,
    Redate,
    Release,
    Reverse,
    Spend,
    Warn,
)
from loyalty.domain.ledger.correcting import adjust, reverse
from loyalty.domain.ledger.decisions import Case, Posting, Refusal, settled_lots
from loyalty.domain.ledger.earning import activate, cancel, celebrate, earn, pend
from loyalty.domain.ledger.entry import Effect, Entry, Private
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.noticing import erase, identify, merge_in, merge_out, notify, redate, warn
from loyalty.domain.ledger.spending import capture, expire, place_hold, release, spend
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import whole_milliseconds


def decide(
    member: Member,
    command: Command,
    terms: Terms,
    now: datetime,
    salt: str,
    introduction: Introduction | None = None,
) -> Posting | Refusal:
    """Decide a command on a member as it is.

    ``now`` is the time of recording (aware); ``salt`` is fresh randomness that protects the erasable words of the
    entry. ``introduction`` counts only for a member without entries. A refusal changes nothing. The posting's
    ``after`` is ``apply(before, entry)``.
    """
    case = Case(member, terms, whole_milliseconds(now))
    effect = _DECISIONS[type(command.action)](case, command.action)
    if isinstance(effect, Refusal):
        return effect
    profile = _profile_changes(member, command.action)
    if introduction and member.version == 0:
        effect = replace(effect, standing=effect.standing or introduction.standing)
        profile = {**introduction.profile, **profile}
    if effect.standing is not Standing.MERGED:
        effect = settled_lots(case, effect, activity=is_activity(effect))
        if effect.expiry_revision is None:
            effect = replace(effect, expiry_revision=_revision_reached(case))
    story = command.narrative
    told = bool(story.reason or story.details or profile)
    private = Private(salt, story.reason, story.details, profile) if told else None
    entry = _entry(member, command, effect, case.now, private)
    return Posting(member, entry, apply(member, entry))


def _revision_reached(case: Case) -> int | None:
    """The newest policy change, once the member's lots need nothing more to follow it; None when that is no news."""
    member, terms = case.member, case.terms
    if member.expiry_revision == terms.expiry_revision or terms.unfollowed(member.lots, member.expiry_revision):
        return None
    return terms.expiry_revision


def _entry(member: Member, command: Command, effect: Effect, now: datetime, private: Private | None) -> Entry:
    story = command.narrative
    return Entry(
        program=member.program,
        member_id=member.member_id,
        seq=member.version + 1,
        effect=effect,
        after=member.amounts + effect.change,
        source=story.source,
        actor=story.actor,
        event_type=story.event_type,
        key=command.key.text,
        request_digest=command.request_digest,
        occurred_at=whole_milliseconds(story.occurred_at),
        recorded_at=now,
        private_digest=private.digest if private else "",
        previous_hash=member.last_hash,
        private=private,
    ).sealed()


def _profile_changes(member: Member, action: Action) -> Mapping[str, str]:
    if isinstance(action, Identify):
        return action.profile
    if isinstance(action, MergeIn):
        known = asdict(member.profile)
        return {name: value for name, value in asdict(action.merged.profile).items() if value and not known[name]}
    return {}


_DECISIONS: Mapping[type[Action], Callable[[Case, Any], Effect | Refusal]] = {
    Earn: earn,
    Spend: spend,
    Adjust: adjust,
    Expire: expire,
    Pend: pend,
    Activate: activate,
    Cancel: cancel,
    PlaceHold: place_hold,
    Capture: capture,
    Release: release,
    Reverse: reverse,
    Redate: redate,
    Notify: notify,
    Warn: warn,
    Celebrate: celebrate,
    Identify: identify,
    Erase: erase,
    MergeOut: merge_out,
    MergeIn: merge_in,
}
