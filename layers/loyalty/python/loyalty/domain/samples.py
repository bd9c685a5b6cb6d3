"""Sample events: Klaviyo knows a metric from its first event on, so flows wait for one (R153, docs/klaviyo.md 9).

A sample is back-fill, which sets off no flow (docs/klaviyo.md 3). Klaviyo never deletes a metric, so only the event
types that the product produces have samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from loyalty.domain.catalogue import EVENT_TYPES, EventType, Property, ValueType
from loyalty.domain.moments import noon, utc_text
from loyalty.domain.naming import naming_of
from loyalty.domain.program import Program
from loyalty.domain.telling import MetricEvent

PRODUCED = frozenset(
    {
        "points_earned_review",
        "points_earned_birthday",
        "points_adjusted_up",
        "points_adjusted_down",
        "points_deducted_review",
        "points_expired",
        "points_expiring",
    }
)
"""The event types that entries of the journal come with by now."""

SAMPLE = "sample"
"""The property that tells a sample from what happened, true; nothing else has it."""

_AHEAD = timedelta(days=3)

_TOLD: Mapping[str, Any] = {
    "points": 100,
    "balance_after": 250,
    "balance_after_text": "250",
    "source": "sample",
    "rating": 5,
    "text_points": 20,
    "media_points": 30,
    "review_kind": "review",
    "review_status": "rejected",
    "product_url": "https://klaviyo-demo.com/products/sample",
    "days_left": _AHEAD.days,
    "kept_by": "earning or spending",
}
"""What a sample says where its type alone would make no sense of a property."""


def sampled_types(program: Program) -> list[EventType]:
    """The event types that have a sample in a program: produced, and selected (R92)."""
    return [kind for kind in EVENT_TYPES.values() if kind.id in PRODUCED - program.events_off]


def sample_of(program: Program, kind: EventType, email: str, now: datetime) -> MetricEvent:
    """The sample of an event type for the profile with ``email``, in the program's naming, every property filled.

    Its ``unique_id`` is always the same, so Klaviyo keeps the first one of a profile and drops the others.
    """
    naming = naming_of(program.naming, program.names)
    unique_id = f"sample.{program.slug}.{kind.id}"
    told = {each.name: _value(each, now) for each in kind.properties} | {"ledger_entry_id": unique_id}
    properties = {naming.event_property(kind, name): value for name, value in told.items()}
    return MetricEvent(
        email=email,
        unique_id=unique_id,
        metric=naming.metric(kind),
        time=now,
        properties={**properties, SAMPLE: True},
        backfill=True,
    )


def _value(each: Property, now: datetime) -> Any:
    return _TOLD.get(each.name, _of_type(each, now))


def _of_type(each: Property, now: datetime) -> Any:
    match each.type:
        case ValueType.INTEGER | ValueType.NUMBER:
            return 1
        case ValueType.TEXT:
            return f"Sample {each.name.replace('_', ' ')}"
        case ValueType.FLAG:
            return True
        case ValueType.DATE:
            return noon((now + _AHEAD).date())
        case ValueType.TIMESTAMP:
            return utc_text(now)
        case ValueType.TEXTS:
            return ["Sample"]
