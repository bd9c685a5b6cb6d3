"""What a record of the table's stream means for the outbox. The only reader of stream images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from loyalty.adapters.dynamodb.typed_json import plain
from loyalty.contracts.deliveries import OwedEvent, OwedProfiles
from loyalty.domain.errors import Misconfigured
from loyalty.domain.ledger.entry import DeliveryState

_READ = ("type", "program", "member_id", "seq", "delivery", "profile_owed_since")


def owed_in(record: Mapping[str, Any]) -> OwedEvent | OwedProfiles | None:
    """What Klaviyo is owed since this change: the event of a new entry, a member's profile, or nothing.

    The event source's filters let little else through; what passes anyway is left alone.

    Raises:
        Misconfigured: the record has no readable new image; the stream or an item is not what it should be.
    """
    change = record.get("dynamodb") or {}
    try:
        image = plain({name: value for name, value in (change.get("NewImage") or {}).items() if name in _READ})
        if image.get("type") == "entry" and record.get("eventName") == "INSERT":
            owed = image.get("delivery") == DeliveryState.OWED
            return OwedEvent.model_validate(image) if owed else None
        if image.get("type") == "member" and image.get("profile_owed_since"):
            return OwedProfiles.model_validate(image)
    except (ValidationError, TypeError, AttributeError) as error:
        number = str(change.get("SequenceNumber", ""))
        raise Misconfigured("A change of the table could not be read.", sequence_number=number) from error
    return None
