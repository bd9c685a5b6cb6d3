"""What can be asked of the ledger. A command says what should happen; ``decide`` says whether it does.

Points are positive integers up to ``MAX_POINTS`` unless said otherwise; times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime

from loyalty.domain.ledger.caps import EarnCap
from loyalty.domain.ledger.entry import Entry, Scalar, Source, canonical, digest
from loyalty.domain.ledger.lots import LotDate
from loyalty.domain.ledger.member import Member, Standing

RETENTION_DAYS = 35
"""How long a caller's idempotency key is remembered; natural keys are never forgotten."""


NATURAL, CALLERS = "#", "~"
"""What follows the scope in a key's text: kept for ever, or kept for ``RETENTION_DAYS``."""


@dataclass(frozen=True, slots=True)
class CommandKey:
    """Identity of a command: the same key never takes effect twice within its program.

    ``natural`` keys name the thing itself (a review, an order step, a warning for a date): whatever the request
    looks like, the thing happens once, and the key is kept for ever. Other keys are the caller's; using one again
    with another body is refused.
    """

    scope: str
    value: str
    natural: bool = False

    @property
    def text(self) -> str:
        """The key as entries and idempotency records carry it: the scope, how long it lives, a digest of the value."""
        return f"{self.scope}{NATURAL if self.natural else CALLERS}{digest(self.scope, self.value.encode())[:27]}"


@dataclass(frozen=True, slots=True)
class Narrative:
    """Why something happens, for the activity log and for Klaviyo.

    ``reason`` and ``details`` may describe a person and can be erased; ``source``, ``actor`` and ``event_type`` (a
    name of the event catalogue, empty for none) stay. ``details`` become flat properties of the event.
    """

    source: Source
    actor: str
    occurred_at: datetime
    reason: str = ""
    details: Mapping[str, Scalar] = field(default_factory=dict)
    event_type: str = ""


@dataclass(frozen=True, slots=True)
class Earn:
    """Give points for something the member did. Caps and the balance cap may grant fewer, never more."""

    points: int
    rule: str = ""
    caps: tuple[EarnCap, ...] = ()


@dataclass(frozen=True, slots=True)
class Spend:
    """Take points for a reward. Refused when fewer are available."""

    points: int


@dataclass(frozen=True, slots=True)
class Adjust:
    """Add (positive) or take (negative) points by hand (R171)."""

    points: int


@dataclass(frozen=True, slots=True)
class Expire:
    """Let all lots dated up to and including ``through`` expire (R175)."""

    through: date


@dataclass(frozen=True, slots=True)
class Pend:
    """Promise points that become available later (R165)."""

    pending_id: str
    points: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Activate:
    """Make pending points available."""

    pending_id: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Void pending points, all or some (R166)."""

    pending_id: str
    points: int | None = None


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """Reserve points for a checkout until ``due_at`` (W7)."""

    hold_id: str
    points: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Capture:
    """Spend held points, all or some; the rest of the hold is given back."""

    hold_id: str
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Give held points back."""

    hold_id: str


@dataclass(frozen=True, slots=True)
class Reverse:
    """Undo an earlier entry, all of it or some of its points (R167, W1, W8). ``original`` is that entry as stored."""

    original: Entry
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Redate:
    """Let the lots follow the program's present expiry policy after a change."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Record a fact that moves no points, such as a warning."""

    topic: str


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell a member that the points of a lot expire, ``days`` days or fewer before their last day (R67)."""

    day: LotDate
    days: int


@dataclass(frozen=True, slots=True)
class Celebrate:
    """Deal with a birthday: give points for it, or none and note that (R169)."""

    day: date
    points: int


@dataclass(frozen=True, slots=True)
class Identify:
    """Set profile fields (``""`` clears one) and, if given, the standing."""

    profile: Mapping[str, str] = field(default_factory=dict)
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Erase:
    """Remove who the member is; what happened stays, without a name (R25)."""


@dataclass(frozen=True, slots=True)
class MergeOut:
    """The end of a member that turned out to be somebody known already (W13)."""

    into: str


@dataclass(frozen=True, slots=True)
class MergeIn:
    """Take over everything ``merged`` has. Always in one transaction with its ``MergeOut``."""

    merged: Member


Action = (
    Earn
    | Spend
    | Adjust
    | Expire
    | Pend
    | Activate
    | Cancel
    | PlaceHold
    | Capture
    | Release
    | Reverse
    | Redate
    | Notify
    | Warn
    | Celebrate
    | Identify
    | Erase
    | MergeOut
    | MergeIn
)


@dataclass(frozen=True, slots=True)
class Introduction:
    """What is known of a customer that a command brings in; part of the first entry and of no later one."""

    profile: Mapping[str, str]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Command:
    """An action with its identity and its story.

    ``addressee`` says whom the caller named, in a form that tells nobody else who that is.
    """

    key: CommandKey
    action: Action
    narrative: Narrative
    addressee: str = ""

    @property
    def request_digest(self) -> str:
        """Digest of what was asked, to tell a repeat from a reused key. When it was asked does not count."""
        story = self.narrative
        asked = {
            "to": self.addressee,
            "action": [type(self.action).__name__, _plain(self.action)],
            "source": [story.source.kind, story.source.id],
            "reason": story.reason,
            "details": dict(story.details),
        }
        return digest("", canonical(asked))[:22]


_WHEN = frozenset({"caps", "due_at"})


def _plain(action: Action) -> dict[str, object]:
    """What an action asks for, as plain JSON values; due times and caps are not part of the asking."""
    return {field.name: _value(getattr(action, field.name)) for field in fields(action) if field.name not in _WHEN}


def _value(value: object) -> object:
    match value:
        case Entry():
            return value.id
        case Member():
            return value.member_id
        case date():
            return value.isoformat()
        case Mapping():
            return dict(value)
        case _:
            return value
