"""Request bodies, as the API document wants them.

Two traps of the contract: in ``create_event`` a profile's patch operations stand inside ``attributes``, everywhere
else beside them; and a bulk import ignores null, so properties are removed with ``unset``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.domain.telling import MetricEvent, ProfileState

Body = dict[str, Any]

MAX_EVENTS = 1000
"""Events one bulk request may hold."""

MAX_BYTES = 5_000_000
"""Size of any request body, read in the smaller sense of 5 MB."""

_ENVELOPE_BYTES = 200
_ELEMENT_BYTES = 200
"""Room for what surrounds the events of a bulk request, and those of one profile."""

_BULK_POINTER = re.compile(r"/data/attributes/events-bulk-create/data/(\d+)(?:/attributes/events/data/(\d+))?(?:/.*)?")


@dataclass(frozen=True, slots=True)
class BulkEvents:
    """One bulk request: its body, how many events it took, and the positions of those in each of its elements."""

    body: bytes
    count: int
    places: tuple[tuple[int, ...], ...]

    def positions(self, pointers: Iterable[str]) -> tuple[int, ...]:
        """Positions of the events that JSON pointers into the body name; a pointer to a profile names all of its."""
        named: set[int] = set()
        for pointer in pointers:
            match = _BULK_POINTER.fullmatch(pointer)
            if not match or int(match[1]) >= len(self.places):
                continue
            element = self.places[int(match[1])]
            if match[2] is None:
                named.update(element)
            elif int(match[2]) < len(element):
                named.add(element[int(match[2])])
        return tuple(sorted(named))


def encoded(body: Body) -> bytes:
    """A body as it goes over the wire."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def bulk_events(events: Sequence[MetricEvent]) -> BulkEvents:
    """The longest beginning of ``events`` that fits one ``bulk_create_events`` request, one at least.

    The events of one profile are nested under it, in the order given; those that are back-fill stand apart, since the
    contract has the flag at both levels and does not say which one wins.
    """
    nested: dict[tuple[str, bool], list[Body]] = {}
    positions: dict[tuple[str, bool], list[int]] = {}
    size = _ENVELOPE_BYTES
    count = 0
    for event in events[:MAX_EVENTS]:
        attributes = {"type": "event", "attributes": _event(event)}
        added = len(encoded(attributes)) + 1
        place = (event.email, event.backfill)
        if place not in nested:
            added += _ELEMENT_BYTES + len(event.email.encode())
        if count and size + added > MAX_BYTES:
            break
        nested.setdefault(place, []).append(attributes)
        positions.setdefault(place, []).append(count)
        size += added
        count += 1
    elements = [_bulk_element(email, items, backfill=backfill) for (email, backfill), items in nested.items()]
    body = {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": elements}}}
    return BulkEvents(encoded({"data": body}), count, tuple(map(tuple, positions.values())))


def create_event(event: MetricEvent) -> bytes:
    """Body of ``create_event``."""
    attributes = {**_event(event), "profile": {"data": _identity(event.email)}}
    return encoded({"data": {"type": "event", "attributes": attributes}})


def import_profile(profile: ProfileState) -> bytes:
    """Body of ``create_or_update_profile``."""
    return encoded({"data": profile_body(profile)})


def create_webhook(name: str, url: str, secret: str, topics: Sequence[str]) -> bytes:
    """Body of ``create_webhook``."""
    subscribed = [{"type": "webhook-topic", "id": topic} for topic in topics]
    return encoded(
        {
            "data": {
                "type": "webhook",
                "attributes": {"name": name, "endpoint_url": url, "secret_key": secret},
                "relationships": {"webhook-topics": {"data": subscribed}},
            }
        }
    )


def enable_webhook(webhook_id: str, url: str) -> bytes:
    """Body of ``update_webhook`` that switches a webhook on; topics and secret stay."""
    attributes = {"endpoint_url": url, "enabled": True}
    return encoded({"data": {"type": "webhook", "id": webhook_id, "attributes": attributes}})


def create_flow(flow: Mapping[str, Any]) -> bytes:
    """Body of ``create_flow``."""
    return encoded({"data": dict(flow)})


def _event(event: MetricEvent) -> Body:
    return {
        **({"backfill": True} if event.backfill else {}),
        "unique_id": event.unique_id,
        "time": event.time.isoformat(timespec="seconds"),
        "properties": dict(event.properties),
        "metric": {"data": {"type": "metric", "attributes": {"name": event.metric}}},
    }


def _bulk_element(email: str, events: list[Body], *, backfill: bool) -> Body:
    attributes: Body = {"profile": {"data": _identity(email)}, "events": {"data": events}}
    if backfill:
        attributes["backfill"] = True
    return {"type": "event-bulk-create", "attributes": attributes}


def _identity(email: str) -> Body:
    return {"type": "profile", "attributes": {"email": email}}


def profile_body(profile: ProfileState) -> Body:
    """A profile as both kinds of import want it."""
    body: Body = {
        "type": "profile",
        "attributes": {"email": profile.email, "properties": dict(profile.properties)},
    }
    if profile.unset:
        body["meta"] = {"patch_properties": {"unset": list(profile.unset)}}
    return body
