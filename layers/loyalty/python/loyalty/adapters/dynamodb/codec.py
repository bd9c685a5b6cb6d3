"""Item forms of members and entries: domain object -> plain attributes -> object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.packing import (
    milliseconds,
    moment_of,
    packed_hash,
    packed_words,
    unpacked_hash,
    unpacked_words,
)
from loyalty.adapters.dynamodb.typed_json import Item
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import AMOUNT_NAMES, Amounts
from loyalty.domain.ledger.entry import (
    Delivery,
    DeliveryState,
    Effect,
    Entry,
    EntryKind,
    Reversal,
    Source,
    digest,
    effect_facts,
)
from loyalty.domain.ledger.member import Earned, Hold, Member, Pending, Profile, Standing, Warned
from loyalty.domain.moments import parse_utc, utc_text

PROFILE_FIELDS = tuple(Profile.__dataclass_fields__)


def member_item(member: Member) -> Item:
    """A member's attributes, without keys, indexes and outbox marks; zero and empty ones are left out."""
    return {
        "type": "member",
        "program": member.program,
        "member_id": member.member_id,
        "version": member.version,
        "last_hash": member.last_hash,
        "standing": member.standing.value,
        **member.amounts.non_zero(),
        **_filled(
            lots=dict(member.lots),
            pendings=_pendings(member.pendings),
            holds=_holds(member.holds),
            earned_in={name: [earned.times, earned.points] for name, earned in member.earned_in.items()},
            warned={day: [warned.days, warned.on] for day, warned in member.warned.items()},
            expiry_revision=member.expiry_revision,
            birthday_since=utc_text(member.birthday_since) if member.birthday_since else "",
            birthday_done=member.birthday_done,
            merged_into=member.merged_into,
            created_at=utc_text(member.created_at) if member.created_at else "",
            last_activity_at=utc_text(member.last_activity_at) if member.last_activity_at else "",
            **asdict(member.profile),
        ),
    }


MEMBER_ATTRIBUTES = (
    "type",
    "program",
    "member_id",
    "version",
    "last_hash",
    "standing",
    *AMOUNT_NAMES,
    "lots",
    "pendings",
    "holds",
    "earned_in",
    "warned",
    "expiry_revision",
    "birthday_since",
    "birthday_done",
    "merged_into",
    "created_at",
    "last_activity_at",
    *PROFILE_FIELDS,
)
"""All attributes ``member_item`` may set; those it leaves out are removed when a member is written."""


def member_of(item: Item) -> Member:
    """The member an item describes."""
    return Member(
        program=ProgramSlug(item["program"]),
        member_id=MemberId(item["member_id"]),
        version=item["version"],
        last_hash=item["last_hash"],
        standing=Standing(item["standing"]),
        amounts=Amounts(**{name: item.get(name, 0) for name in AMOUNT_NAMES}),
        lots=dict(sorted(item.get("lots", {}).items())),
        pendings=_pendings_of(item.get("pendings", {})),
        holds=_holds_of(item.get("holds", {})),
        earned_in={name: Earned(*values) for name, values in item.get("earned_in", {}).items()},
        warned=_warned_of(item.get("warned", {})),
        expiry_revision=item.get("expiry_revision", 0),
        birthday_since=parse_utc(item["birthday_since"]) if "birthday_since" in item else None,
        birthday_done=item.get("birthday_done", ""),
        profile=Profile(**{name: item.get(name, "") for name in PROFILE_FIELDS}),
        merged_into=item.get("merged_into", ""),
        created_at=parse_utc(item["created_at"]) if "created_at" in item else None,
        last_activity_at=parse_utc(item["last_activity_at"]) if "last_activity_at" in item else None,
    )


def entry_item(entry: Entry) -> Item:
    """An entry's whole item, keys and feed position included."""
    key = keys.entry(entry.program, entry.member_id, entry.seq)
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": "entry",
        "program": entry.program,
        "member_id": entry.member_id,
        "seq": entry.seq,
        "effect": effect_facts(entry.effect),
        "after": entry.after.non_zero(),
        "source": entry.source.kind,
        "actor": entry.actor,
        "key": entry.key,
        "request_digest": entry.request_digest,
        "occurred_at": milliseconds(entry.occurred_at),
        "recorded_at": milliseconds(entry.recorded_at),
        "hash": packed_hash(entry.hash),
        **delivery_item(entry, entry.delivery),
        **_filled(
            source_id=entry.source.id,
            event_type=entry.event_type,
            previous_hash=packed_hash(entry.previous_hash),
            private_digest=packed_hash(entry.private_digest),
            private=packed_words(entry.private) if entry.private else b"",
            reversals={key: mark_facts(entry, mark) for key, mark in entry.reversals.items()},
        ),
    }


def mark_facts(original: Entry, mark: Reversal) -> list[Any]:
    """A reversal as the reversed entry carries it; the member is left out where it is the entry's own."""
    elsewhere = [mark.member_id] if mark.member_id != original.member_id else []
    return [mark.seq, mark.points, mark.request_digest, *elsewhere]


def delivery_item(entry: Entry, delivery: Delivery) -> Item:
    """The attributes that say how far an entry's event has come, and where that puts the entry in the feed."""
    return {
        "delivery": delivery.state.value,
        "delivery_check": delivery.check(entry.id),
        **feed_position(entry, delivery.state),
        **({"delivery_at": milliseconds(delivery.at)} if delivery.at else {}),
        **_filled(delivery_why=delivery.why),
    }


def feed_position(entry: Entry, state: DeliveryState) -> Item:
    """Feed keys of an entry: among what is owed while its event is, under its day afterwards."""
    owed = state is DeliveryState.OWED
    return {
        "feed_pk": keys.owed_event_pk(entry.program, entry.member_id)
        if owed
        else keys.feed_pk(entry.program, entry.recorded_at),
        "feed_sk": keys.entry_feed_sk(entry.member_id, entry.seq, entry.recorded_at),
    }


def entry_of(item: Item) -> Entry:
    """The entry an item describes."""
    member_id = MemberId(item["member_id"])
    return Entry(
        program=ProgramSlug(item["program"]),
        member_id=member_id,
        seq=item["seq"],
        effect=_effect_of(item["effect"]),
        after=Amounts(**item["after"]),
        source=Source(item["source"], item.get("source_id", "")),
        actor=item["actor"],
        event_type=item.get("event_type", ""),
        key=item["key"],
        request_digest=item["request_digest"],
        occurred_at=moment_of(item["occurred_at"]),
        recorded_at=moment_of(item["recorded_at"]),
        private_digest=_hash_of(item, "private_digest"),
        previous_hash=_hash_of(item, "previous_hash"),
        hash=unpacked_hash(item["hash"]),
        private=unpacked_words(item["private"]) if "private" in item else None,
        delivery=delivery_of(item),
        reversals={key: _mark_of(member_id, *mark) for key, mark in item.get("reversals", {}).items()},
    )


def delivery_of(item: Item) -> Delivery:
    """The delivery state an entry's item carries."""
    at = moment_of(item["delivery_at"]) if "delivery_at" in item else None
    return Delivery(DeliveryState(item["delivery"]), at, item.get("delivery_why", ""))


def refusal_check(member_id: MemberId, why: str) -> str:
    """A short digest that ties a profile's refusal to its member, so that a stray change of it is found."""
    return digest(member_id, why.encode())[:11]


def _hash_of(item: Item, name: str) -> str:
    return unpacked_hash(item[name]) if name in item else ""


def _mark_of(member_id: MemberId, seq: int, points: int, asked: str, elsewhere: str = "") -> Reversal:
    return Reversal(MemberId(elsewhere) if elsewhere else member_id, seq, points, asked)


def _effect_of(facts: Item) -> Effect:
    standing = facts.get("standing")
    return Effect(
        kind=EntryKind(facts["kind"]),
        change=Amounts(**facts.get("change", {})),
        lots=facts.get("lots", {}),
        redated=facts.get("redated", {}),
        pendings=_pendings_of(facts.get("pendings", {})),
        holds=_holds_of(facts.get("holds", {})),
        closed=facts.get("closed", {}),
        consumed=facts.get("consumed", {}),
        earned_in={name: Earned(*values) for name, values in facts.get("earned_in", {}).items()},
        warned=_warned_of(facts.get("warned", {})),
        rule=facts.get("rule", ""),
        topic=facts.get("topic", ""),
        reverses=facts.get("reverses", ""),
        shortfall=facts.get("shortfall", 0),
        standing=Standing(standing) if standing else None,
        expiry_revision=facts.get("expiry_revision"),
        merged_into=facts.get("merged_into", ""),
        birthday_done=facts.get("birthday_done", ""),
    )


def _pendings(pendings: Mapping[str, Pending]) -> Item:
    return {name: [pending.points, utc_text(pending.due_at)] for name, pending in pendings.items()}


def _holds(holds: Mapping[str, Hold]) -> Item:
    return {name: [hold.points, dict(hold.lots), utc_text(hold.due_at)] for name, hold in holds.items()}


def _warned_of(values: Item) -> dict[str, Warned]:
    return {day: Warned(*told) for day, told in sorted(values.items())}


def _pendings_of(values: Item) -> dict[str, Pending]:
    return {name: Pending(points, parse_utc(due)) for name, (points, due) in values.items()}


def _holds_of(values: Item) -> dict[str, Hold]:
    return {name: Hold(points, lots, parse_utc(due)) for name, (points, lots, due) in values.items()}


def _filled(**attributes: Any) -> Item:
    return {name: value for name, value in attributes.items() if value}
