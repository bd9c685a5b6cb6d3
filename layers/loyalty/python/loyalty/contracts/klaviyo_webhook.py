"""The body of a system webhook delivery (docs/klaviyo.md 5): an envelope of events, opened one by one.

Klaviyo documents up to 1,000 events a delivery. More are taken as well, as far as the gateway lets them through: a
refusal would be repeated for two days and then end in a disabled webhook, which helps nobody.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from loyalty.domain.errors import Invalid


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Meta(_Model):
    """Which webhook sent the delivery."""

    klaviyo_webhook_id: Annotated[str, StringConstraints(min_length=1)]


class Delivery(_Model):
    """The envelope. ``data`` is left unread, so that one bad event spoils no other."""

    data: list[Any]
    meta: Meta


class Attributes(_Model):
    """An event's attributes; ``datetime`` and ``timestamp`` (epoch seconds) say when it happened."""

    event_properties: dict[Any, Any]
    datetime: Any = None
    timestamp: Any = None


class Resource(_Model):
    """An event as the Get Event operation answers it."""

    id: Any = None
    attributes: Attributes


class Payload(_Model):
    """The document around an event."""

    data: Resource


class Event(_Model):
    """One event of a delivery."""

    external_id: Any = None
    payload: Payload

    @property
    def properties(self) -> dict[Any, Any]:
        """What the event says."""
        return self.payload.data.attributes.event_properties


def parse_delivery(body: bytes) -> Delivery:
    """Open the envelope of an authenticated delivery.

    Raises:
        Invalid: ``malformed_json`` or ``malformed_delivery``; the message names the place, never a value.
    """
    try:
        document = json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise Invalid("The body is not JSON.", code="malformed_json") from None
    try:
        return Delivery.model_validate(document)
    except ValidationError as error:
        places = ", ".join(_places(error)) or "the top"
        raise Invalid(f"The body is not a webhook delivery; look at {places}.", code="malformed_delivery") from None


def topic_of(event: object) -> str:
    """The topic of an event in a delivery, empty when it names none."""
    topic = event.get("topic") if isinstance(event, dict) else None
    return topic if isinstance(topic, str) else ""


def parse_event(event: object) -> Event:
    """Read one event of a delivery.

    Raises:
        Invalid: ``malformed_event``; the message names the place, never a value.
    """
    try:
        return Event.model_validate(event)
    except ValidationError as error:
        places = ", ".join(_places(error)) or "the event"
        raise Invalid(
            f"This is not an event of a webhook delivery; look at {places}.", code="malformed_event"
        ) from None


def _places(error: ValidationError) -> list[str]:
    return sorted({".".join(str(step) for step in problem["loc"]) for problem in error.errors()} - {""})
