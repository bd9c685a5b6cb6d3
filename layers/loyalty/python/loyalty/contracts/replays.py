"""What a merchant asks of a replay of events, and is told of it (R95)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from loyalty.contracts.forms import Form, Refused, Told
from loyalty.domain.catalogue import EVENT_TYPES
from loyalty.domain.moments import utc_text
from loyalty.domain.replay import Replay

MAX_BYTES = 10_000


def _moment(text: str) -> str:
    try:
        moment_of(text)
    except (ValueError, OverflowError):
        raise Refused("not_a_time", "Use an ISO 8601 time with its zone, such as 2026-01-31T00:00:00Z") from None
    return text


def _event_type(name: str) -> str:
    if name not in EVENT_TYPES:
        raise Refused("unknown_event_type", "The event catalogue has no such type")
    return name


Moment = Annotated[
    str,
    AfterValidator(_moment),
    Field(max_length=40, examples=["2026-01-31T00:00:00Z"], json_schema_extra={"format": "date-time"}),
]


class ReplayForm(Form):
    """Which events are to be told afterwards."""

    from_: Annotated[Moment, Field(alias="from", description="Beginning of the range, by when entries were recorded.")]
    to: Annotated[Moment, Field(description="End of the range, which does not belong to it.")]
    types: Annotated[
        list[Annotated[str, AfterValidator(_event_type)]] | None,
        Field(description="Only these types; all that are selected if left out.", max_length=len(EVENT_TYPES)),
    ] = None
    backfill: Annotated[bool, Field(description="Whether Klaviyo records the events without setting off flows.")] = True


class ReplayDocument(Told):
    """How a replay is."""

    id: str
    state: Annotated[
        Literal["running", "done", "stopped"],
        Field(description="stopped: the program was disconnected before its end. done: all is queued for sending."),
    ]
    from_: Annotated[str, Field(serialization_alias="from", validation_alias="from")]
    to: str
    types: tuple[str, ...]
    backfill: bool
    days_done: int
    days: int
    looked_at: Annotated[int, Field(description="Entries looked at so far.")]
    owed_again: Annotated[int, Field(description="Events that Klaviyo had not heard of and that are sent now.")]
    started_at: str
    finished_at: str | None


def moment_of(text: str) -> datetime:
    """The time that a form's text names, aware UTC.

    Raises:
        ValueError, OverflowError: it names none, or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def replay_document(replay: Replay) -> dict[str, Any]:
    """A replay as it is told."""
    behind, whole = replay.days
    return {
        "id": replay.id,
        "state": replay.state.value,
        "from": utc_text(replay.begin),
        "to": utc_text(replay.end),
        "types": sorted(replay.types),
        "backfill": replay.backfill,
        "days_done": behind,
        "days": whole,
        "looked_at": replay.looked,
        "owed_again": replay.owed,
        "started_at": utc_text(replay.started_at),
        "finished_at": utc_text(replay.finished_at) if replay.finished_at else None,
    }
