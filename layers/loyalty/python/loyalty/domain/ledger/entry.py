"""Journal entries: numbered, immutable, chained by hash.

The hash covers everything that happened. What names or describes a person (reason, details, profile changes) is
covered through a salted digest, so that it can be erased and the chain still holds (R25). How far delivery to
Klaviyo has come, and what was reversed later, stand beside the entry and are no part of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from loyalty.domain.identity import EntryId, MemberId, ProgramSlug, entry_id
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.lots import LotDate, Lots
from loyalty.domain.ledger.member import Earned, Hold, Pending, Standing, Warned
from loyalty.domain.moments import utc_text

Scalar = str | int | float | bool


class EntryKind(StrEnum):
    """What an entry did. Notices move no points."""

    EARN = "earn"
    SPEND = "spend"
    ADJUST = "adjust"
    EXPIRE = "expire"
    PEND = "pend"
    ACTIVATE = "activate"
    CANCEL = "cancel"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    REVERSE = "reverse"
    MERGE = "merge"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a change came from: a kind (``klaviyo_review``, ``order``, ``flow`` ...) and that system's id."""

    kind: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """All that an entry changes, as signed changes.

    ``lots`` is what the posting itself gave to (+) and took from (-) the lots; ``redated`` moves points between
    dates and sums to zero. ``pendings`` and ``holds`` are opened, ``closed`` are points of them that are gone.
    ``consumed`` names the lots a capture finally spent. ``shortfall`` is what could not be granted or taken back.
    ``birthday_done`` is the birthday this dealt with (ISO date).
    """

    kind: EntryKind
    change: Amounts = field(default_factory=Amounts)
    lots: Lots = field(default_factory=dict)
    redated: Lots = field(default_factory=dict)
    pendings: Mapping[str, Pending] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    closed: Mapping[str, int] = field(default_factory=dict)
    consumed: Lots = field(default_factory=dict)
    earned_in: Mapping[str, Earned] = field(default_factory=dict)
    warned: Mapping[LotDate, Warned] = field(default_factory=dict)
    rule: str = ""
    topic: str = ""
    reverses: str = ""
    shortfall: int = 0
    standing: Standing | None = None
    expiry_revision: int | None = None
    merged_into: str = ""
    birthday_done: str = ""


@dataclass(frozen=True, slots=True)
class Private:
    """The part of an entry that may describe a person. ``salt`` keeps its digest from being guessed."""

    salt: str
    reason: str = ""
    details: Mapping[str, Scalar] = field(default_factory=dict)
    profile: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What the entry's hash covers in place of these words."""
        words = {"reason": self.reason, "details": dict(self.details), "profile": dict(self.profile)}
        return digest(self.salt, canonical(words))


class DeliveryState(StrEnum):
    """What became of the event Klaviyo is to hear about."""

    NONE = "none"
    OWED = "owed"
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivery state of an entry's event: since when and, for ``skipped`` and ``failed``, why."""

    state: DeliveryState = DeliveryState.NONE
    at: datetime | None = None
    why: str = ""

    def check(self, entry: EntryId) -> str:
        """A short digest that ties the state to its entry, so that a stray change of either is found."""
        at = utc_text(self.at) if self.at else ""
        return digest(entry, canonical([self.state.value, at, self.why]))[:11]


@dataclass(frozen=True, slots=True)
class Reversal:
    """One reversal an entry has seen: which entry made it, for how many points, asked for by which request."""

    member_id: MemberId
    seq: int
    points: int
    request_digest: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable, numbered fact about a member.

    ``after`` is the state it left; ``key`` and ``request_digest`` tie it to its idempotency record; times are
    aware UTC. ``private`` is None once erased. ``delivery`` and ``reversals`` are not part of the chain.
    """

    program: ProgramSlug
    member_id: MemberId
    seq: int
    effect: Effect
    after: Amounts
    source: Source
    actor: str
    event_type: str
    key: str
    request_digest: str
    occurred_at: datetime
    recorded_at: datetime
    private_digest: str
    previous_hash: str
    hash: str = ""
    private: Private | None = None
    delivery: Delivery = field(default_factory=Delivery)
    reversals: Mapping[str, Reversal] = field(default_factory=dict)

    @property
    def id(self) -> EntryId:
        """The entry's public id, and Klaviyo's ``unique_id`` for its event."""
        return entry_id(self.member_id, self.seq)

    @property
    def kind(self) -> EntryKind:
        """What the entry did."""
        return self.effect.kind

    @property
    def reversed_points(self) -> int:
        """Points of this entry reversed so far."""
        return sum(reversal.points for reversal in self.reversals.values())

    @property
    def points(self) -> int:
        """The signed points the entry is about: pending ones while they wait, available ones otherwise."""
        match self.effect.kind:
            case EntryKind.PEND | EntryKind.CANCEL:
                return self.effect.change.pending
            case EntryKind.CAPTURE:
                return -self.effect.change.spent
            case _:
                return self.effect.change.available

    def sealed(self) -> Entry:
        """The entry with its hash filled in."""
        return replace(self, hash=chain_hash(self))


def chain_hash(entry: Entry) -> str:
    """SHA-256 over the previous hash and the entry's immutable fields in canonical form."""
    facts = {
        "program": entry.program,
        "member_id": entry.member_id,
        "seq": entry.seq,
        "effect": effect_facts(entry.effect),
        "after": entry.after.non_zero(),
        "source": [entry.source.kind, entry.source.id],
        "actor": entry.actor,
        "event_type": entry.event_type,
        "key": entry.key,
        "request_digest": entry.request_digest,
        "occurred_at": utc_text(entry.occurred_at),
        "recorded_at": utc_text(entry.recorded_at),
        "private_digest": entry.private_digest,
    }
    return digest(entry.previous_hash, canonical(facts))


def effect_facts(effect: Effect) -> dict[str, Any]:
    """An effect as plain JSON values, empty parts left out; the form that is hashed and stored."""
    facts: dict[str, Any] = {
        "kind": effect.kind.value,
        "change": effect.change.non_zero(),
        "lots": dict(effect.lots),
        "redated": dict(effect.redated),
        "pendings": {name: [p.points, utc_text(p.due_at)] for name, p in effect.pendings.items()},
        "holds": {name: [h.points, dict(h.lots), utc_text(h.due_at)] for name, h in effect.holds.items()},
        "closed": dict(effect.closed),
        "consumed": dict(effect.consumed),
        "earned_in": {name: [e.times, e.points] for name, e in effect.earned_in.items()},
        "warned": {day: [warned.days, warned.on] for day, warned in effect.warned.items()},
        "rule": effect.rule,
        "topic": effect.topic,
        "reverses": effect.reverses,
        "shortfall": effect.shortfall,
        "standing": effect.standing.value if effect.standing else "",
        "merged_into": effect.merged_into,
        "birthday_done": effect.birthday_done,
    }
    facts = {name: value for name, value in facts.items() if value}
    if effect.expiry_revision is not None:
        facts["expiry_revision"] = effect.expiry_revision
    return facts


def canonical(value: Any) -> bytes:
    """The one byte form of plain JSON values: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(prefix: str, content: bytes) -> str:
    """SHA-256 over a text prefix and content, as 43 characters of base64url."""
    raw = hashlib.sha256(prefix.encode() + b"\n" + content).digest()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
