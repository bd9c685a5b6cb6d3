"""Recording events: profile upsert, deduplication and the values that Klaviyo drops.

Sources: "Events API overview"; create_event and bulk_create_events in the official contract.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.fake_klaviyo.accounts import Account, DroppedEvent, Event, Integration, Metric
from local.fake_klaviyo.event_checks import parse_time
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.identifiers import event_id
from local.fake_klaviyo.profile_book import Nulls, Profile, UnknownProfileError, given_identifiers

_DROPPED_DOMAINS = ("example.com", "example.org", "example.net", "test.com")


@dataclass(frozen=True)
class EventDraft:
    """One event of a request, checked but not yet recorded."""

    pointer: str
    attributes: JsonObject
    profile: JsonObject
    backfill: bool

    @property
    def metric_name(self) -> str:
        """Name of the event's metric."""
        return str(self.attributes["metric"]["data"]["attributes"]["name"])

    def unique_id(self, now: datetime) -> str:
        """The given unique_id, or the event's time in whole seconds."""
        given = self.attributes.get("unique_id")
        return str(given) if given is not None else str(int(self.time(now).timestamp()))

    def time(self, now: datetime) -> datetime:
        """When it occurred: the given time, or that of receipt, to the second."""
        return parse_time(self.attributes.get("time")) or now.replace(microsecond=0)


@dataclass(frozen=True)
class Recording:
    """An event ready to be kept."""

    profile: Profile
    metric: Metric
    unique_id: str
    time: datetime
    properties: JsonObject
    backfill: bool
    operation: str


def single_draft(body: JsonObject) -> EventDraft:
    """The event of a create_event body; its profile's `meta` stands inside the attributes there."""
    attributes = body["data"]["attributes"]
    profile = dict(attributes["profile"]["data"])
    inner = dict(profile["attributes"])
    meta = inner.pop("meta", None)
    return EventDraft(
        "/data/attributes",
        attributes,
        {**profile, "attributes": inner, "meta": meta},
        bool(attributes.get("backfill")),
    )


def bulk_drafts(body: JsonObject) -> Iterator[EventDraft]:
    """The events of a bulk_create_events body; `backfill` may stand on the event or on its batch element."""
    top = "/data/attributes/events-bulk-create/data"
    for i, element in enumerate(body["data"]["attributes"]["events-bulk-create"]["data"]):
        inner = element["attributes"]
        for j, event in enumerate(inner["events"]["data"]):
            attributes = event["attributes"]
            yield EventDraft(
                f"{top}/{i}/attributes/events/data/{j}/attributes",
                attributes,
                inner["profile"]["data"],
                bool(attributes.get("backfill") or inner.get("backfill")),
            )


def dedupe_key(account: Account, draft: EventDraft, now: datetime) -> tuple[str, str, str]:
    """(profile, metric, unique_id), with an identifier in place of a profile that does not exist yet."""
    found = account.profiles.find(draft.profile)
    identifiers = given_identifiers(draft.profile["attributes"])
    person = found[0].id if found else next((f"{k}={v}" for k, v in identifiers.items()), "")
    return person, draft.metric_name, draft.unique_id(now)


def record_event(
    account: Account, draft: EventDraft, integration: Integration, now: datetime, operation: str
) -> Event | None:
    """Record one event and update its profile; returns None when Klaviyo would drop it in silence."""
    email = given_identifiers(draft.profile["attributes"]).get("email", "")
    if email.rpartition("@")[2] in _DROPPED_DOMAINS:
        _drop(account, draft, now, "test address")
        return None
    try:
        profile, _ = account.profiles.upsert(draft.profile, now, Nulls.IGNORE, merge=True)
    except UnknownProfileError:
        _drop(account, draft, now, "unknown profile id")
        return None
    metric = account.metric(integration, draft.metric_name, now)
    event = store_event(
        account,
        Recording(
            profile=profile,
            metric=metric,
            unique_id=draft.unique_id(now),
            time=draft.time(now),
            properties=_kept_properties(draft, metric),
            backfill=draft.backfill,
            operation=operation,
        ),
        now,
    )
    if event is None:
        _drop(account, draft, now, "repeated unique_id")
    return event


def store_event(account: Account, recording: Recording, now: datetime) -> Event | None:
    """Keep an event unless its (profile, metric, unique_id) is known; returns None then."""
    profile = recording.profile
    key = (profile.id, recording.metric.id, recording.unique_id)
    if key in account.event_keys:
        return None
    event = Event(
        id=event_id(),
        uuid=str(uuid.uuid4()),
        unique_id=recording.unique_id,
        profile=profile,
        metric=recording.metric,
        time=recording.time,
        received=now,
        properties={**recording.properties, "$event_id": recording.unique_id},
        backfill=recording.backfill,
        operation=recording.operation,
    )
    account.event_keys[key] = event.id
    account.events.append(event)
    profile.last_event = max(recording.time, profile.last_event or recording.time)
    return event


def _kept_properties(draft: EventDraft, metric: Metric) -> JsonObject:
    kept = {k: v for k, v in draft.attributes["properties"].items() if not _ignored(v)}
    value = draft.attributes.get("value")
    metric.carries_value = metric.carries_value or value is not None
    if metric.carries_value:
        kept["$value"] = 0 if value is None else value
    if draft.attributes.get("value_currency"):
        kept["$value_currency"] = draft.attributes["value_currency"]
    return kept


def _ignored(value: Any) -> bool:
    """Klaviyo treats 0, null and "" in event properties as not set; false is kept."""
    return value is None or value == "" or (value == 0 and not isinstance(value, bool))


def _drop(account: Account, draft: EventDraft, now: datetime, reason: str) -> None:
    account.dropped.append(
        DroppedEvent(reason, draft.metric_name, draft.unique_id(now), draft.profile["attributes"], now)
    )
