"""Members as they are read and written, and their activity log (R182)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from loyalty.contracts.forms import EmailAddress, Form, Refused, Text, Told
from loyalty.domain.ledger.entry import Entry, Scalar
from loyalty.domain.ledger.expiry import schedule
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import utc_text

_BIRTHDAY = "^$|^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
PAGE = 25
LONGEST_PAGE = 100


def _birthday(text: str) -> str:
    if not text:
        return text
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Refused("invalid_birthday", "Write a birthday as YYYY-MM-DD") from None


class MemberForm(Form):
    """What is to be known of a member. What is left out stays as it is; an empty text clears a field."""

    state: Annotated[
        Literal["candidate", "member", "excluded"] | None,
        Field(description="candidate is known, member has joined, excluded takes no part."),
    ] = None
    email: Annotated[EmailAddress | None, Field(description="Another address of the member.")] = None
    external_id: Annotated[Text | None, Field(max_length=255, description="The store's id of the customer.")] = None
    phone: Annotated[
        str | None, Field(pattern=r"^$|^\+[1-9][0-9]{6,14}$", description="E.164.", examples=["+4930901820"])
    ] = None
    first_name: Annotated[Text | None, Field(max_length=100)] = None
    last_name: Annotated[Text | None, Field(max_length=100)] = None
    birthday: Annotated[
        str | None,
        AfterValidator(lambda text: text if text is None else _birthday(text)),
        Field(description="YYYY-MM-DD.", examples=["1989-12-13"], json_schema_extra={"pattern": _BIRTHDAY}),
    ] = None

    def profile(self) -> dict[str, str]:
        """The profile fields that were given."""
        given: dict[str, str] = self.model_dump(exclude={"state"}, exclude_none=True)
        return given


class PageForm(Form):
    """Which page of an activity log."""

    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="Entries on a page.")] = PAGE
    cursor: Annotated[str, Field(pattern="^[0-9]{0,10}$", description="next_cursor of the page before.")] = ""


class BalancesDocument(Told):
    """Points by where they are and where they went; earned is all the others but pending together."""

    available: int
    pending: int
    held: int
    earned: int
    spent: int
    expired: int
    deducted: int
    reversed: int


class ExpiringDocument(Told):
    """Points that can be spent until the end of a day in the program's time zone."""

    expires_on: Annotated[str, Field(examples=["2026-12-31"])]
    points: int


class PendingDocument(Told):
    """Points that become available at the latest at a time."""

    pending_id: str
    points: int
    due_at: str


class MemberDocument(Told):
    """A member's state, after everything that was due has happened."""

    member_id: str
    state: str
    version: Annotated[int, Field(description="Number of the newest journal entry.")]
    email: str
    external_id: str
    phone: str
    first_name: str
    last_name: str
    birthday: str
    balances: BalancesDocument
    expiry_schedule: Annotated[tuple[ExpiringDocument, ...], Field(description="Soonest first.")]
    never_expiring: Annotated[int, Field(description="Points without a date.")]
    pending: tuple[PendingDocument, ...]
    created_at: str | None
    last_activity_at: str | None

    @classmethod
    def of(cls, member: Member) -> MemberDocument:
        """Show a member."""
        return cls(
            member_id=member.member_id,
            state=member.standing.value,
            version=member.version,
            **{name: getattr(member.profile, name) for name in _SHOWN},
            balances=BalancesDocument(
                **{name: getattr(member.amounts, name) for name in BalancesDocument.model_fields}
            ),
            expiry_schedule=expiry_of(member),
            never_expiring=member.lots.get(NEVER, 0),
            pending=tuple(
                PendingDocument(pending_id=name, points=pending.points, due_at=utc_text(pending.due_at))
                for name, pending in sorted(member.pendings.items(), key=lambda item: item[1].due_at)
            ),
            created_at=utc_text(member.created_at) if member.created_at else None,
            last_activity_at=utc_text(member.last_activity_at) if member.last_activity_at else None,
        )


class SourceDocument(Told):
    """Where a change came from."""

    kind: Annotated[str, Field(examples=["flow"])]
    id: str


class DeliveryDocument(Told):
    """What became of the event Klaviyo is to hear of: none, owed, sent, skipped or failed."""

    state: str
    at: str | None
    why: str


class EntryDocument(Told):
    """One line of the activity log."""

    entry_id: str
    seq: int
    kind: str
    event_type: str
    points: Annotated[int, Field(description="Signed points the line is about.")]
    balance: Annotated[int, Field(description="Points that could be spent afterwards.")]
    reason: Annotated[str, Field(description="Word for word as it was given; empty once erased.")]
    details: dict[str, Scalar]
    source: SourceDocument
    actor: str
    occurred_at: str
    recorded_at: str
    delivery: DeliveryDocument
    reverses: str
    reversed_points: int

    @classmethod
    def of(cls, entry: Entry) -> EntryDocument:
        """Show an entry."""
        words = entry.private
        return cls(
            entry_id=entry.id,
            seq=entry.seq,
            kind=entry.kind.value,
            event_type=entry.event_type,
            points=entry.points,
            balance=entry.after.available,
            reason=words.reason if words else "",
            details=dict(words.details) if words else {},
            source=SourceDocument(kind=entry.source.kind, id=entry.source.id),
            actor=entry.actor,
            occurred_at=utc_text(entry.occurred_at),
            recorded_at=utc_text(entry.recorded_at),
            delivery=DeliveryDocument(
                state=entry.delivery.state.value,
                at=utc_text(entry.delivery.at) if entry.delivery.at else None,
                why=entry.delivery.why,
            ),
            reverses=entry.effect.reverses,
            reversed_points=entry.reversed_points,
        )


class ActivityDocument(Told):
    """A page of the activity log, newest first; ``next_cursor`` leads on while there is more."""

    entries: tuple[EntryDocument, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, entries: Sequence[Entry], limit: int) -> ActivityDocument:
        """Show a page of at most ``limit`` entries."""
        more = len(entries) == limit and entries[-1].seq > 1
        shown = tuple(EntryDocument.of(entry) for entry in entries)
        return cls(entries=shown, next_cursor=str(entries[-1].seq) if more else None)


_SHOWN = ("email", "external_id", "phone", "first_name", "last_name", "birthday")


def expiry_of(member: Member) -> tuple[ExpiringDocument, ...]:
    """The member's points that expire, by their last day, the soonest first."""
    return tuple(ExpiringDocument(expires_on=day.isoformat(), points=points) for day, points in schedule(member.lots))
