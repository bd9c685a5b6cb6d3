"""What Klaviyo demands of an event in a request.

Sources: "Events API overview" (limitations), schemas EventCreateQueryV2 and EventsBulkCreateJob.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings
from local.fake_klaviyo.profile_checks import (
    IN_BULK_EVENTS,
    IN_EVENT,
    check_profile,
    json_size,
)

_EARLIEST = datetime(1991, 1, 1, tzinfo=UTC)
_LARGEST_EVENT = 5_000_000
_LARGEST_STRING = 100_000
_MOST_PROPERTIES = 400
_LONGEST_ARRAY = 4_000
_DEEPEST = 10
_MOST_EVENTS = 1_000
_OPTIONAL = ("time", "value", "value_currency", "unique_id", "backfill")


def parse_time(value: object) -> datetime | None:
    """An ISO 8601 timestamp with a time zone, truncated to the second; None when it is not one."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    if parsed.tzinfo is None or "T" not in value.upper():
        return None
    return parsed.astimezone(UTC).replace(microsecond=0)


def check_create_event(body: JsonObject, now: datetime) -> None:
    """Refuse a create_event body that breaks a rule."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "event")
    attributes = data.get("attributes")
    if attributes is not None:
        pointer = "/data/attributes"
        found.object(attributes, pointer, ("properties", "metric", "profile"), _OPTIONAL)
        if isinstance(attributes, dict):
            _check_event_fields(found, attributes, pointer, now)
            holder = found.object(attributes.get("profile"), f"{pointer}/profile", ("data",), ())
            check_profile(found, holder.get("data"), f"{pointer}/profile/data", IN_EVENT)
    found.raise_if_any()


def check_bulk_create_events(body: JsonObject, now: datetime) -> None:
    """Refuse a bulk_create_events body that breaks a rule; up to 1,000 events may be in it."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "event-bulk-create-job")
    attributes = found.object(data.get("attributes"), "/data/attributes", ("events-bulk-create",), ())
    top = "/data/attributes/events-bulk-create"
    holder = found.object(attributes.get("events-bulk-create"), top, ("data",), ())
    elements = found.list(holder.get("data"), f"{top}/data")
    events = sum(_check_element(found, element, f"{top}/data/{i}", now) for i, element in enumerate(elements))
    if events == 0:
        found.add(f"{top}/data", "At least one event is required.")
    if events > _MOST_EVENTS:
        found.add(f"{top}/data", f"At most {_MOST_EVENTS} events are accepted per request.")
    found.raise_if_any()


def _check_element(found: Findings, value: Any, pointer: str, now: datetime) -> int:
    element = found.resource(value, pointer, "event-bulk-create")
    pointer = f"{pointer}/attributes"
    attributes = found.object(element.get("attributes"), pointer, ("profile", "events"), ("backfill",))
    _check_flag(found, attributes.get("backfill"), f"{pointer}/backfill")
    profile = found.object(attributes.get("profile"), f"{pointer}/profile", ("data",), ())
    check_profile(found, profile.get("data"), f"{pointer}/profile/data", IN_BULK_EVENTS)
    holder = found.object(attributes.get("events"), f"{pointer}/events", ("data",), ())
    events = found.list(holder.get("data"), f"{pointer}/events/data")
    for i, item in enumerate(events):
        place = f"{pointer}/events/data/{i}"
        event = found.resource(item, place, "event")
        fields = found.object(event.get("attributes"), f"{place}/attributes", ("properties", "metric"), _OPTIONAL)
        _check_event_fields(found, fields, f"{place}/attributes", now)
    return len(events)


def _check_event_fields(found: Findings, attributes: JsonObject, pointer: str, now: datetime) -> None:
    _check_metric(found, attributes.get("metric"), f"{pointer}/metric")
    _check_time(found, attributes.get("time"), f"{pointer}/time", now)
    found.text(attributes.get("unique_id"), f"{pointer}/unique_id", longest=255, shortest=1)
    _check_flag(found, attributes.get("backfill"), f"{pointer}/backfill")
    value = attributes.get("value")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        found.add(f"{pointer}/value", "A number is required.")
    currency = attributes.get("value_currency")
    if currency is not None and not (isinstance(currency, str) and len(currency) == 3 and currency.isupper()):
        found.add(f"{pointer}/value_currency", "An ISO 4217 currency code is required.")
    if attributes.get("properties") is not None:
        properties = found.object(attributes["properties"], f"{pointer}/properties")
        _check_properties(found, properties, f"{pointer}/properties")
    if json_size(attributes) > _LARGEST_EVENT:
        found.add(pointer, "The event exceeds the maximum size of 5 MB.")


def _check_metric(found: Findings, value: Any, pointer: str) -> None:
    holder = found.object(value, pointer, ("data",), ())
    metric = found.resource(holder.get("data"), f"{pointer}/data", "metric")
    attributes = found.object(metric.get("attributes"), f"{pointer}/data/attributes", ("name",), ("service",))
    found.text(attributes.get("name"), f"{pointer}/data/attributes/name", longest=127, shortest=1)


def _check_time(found: Findings, value: Any, pointer: str, now: datetime) -> None:
    if value is None:
        return
    time = parse_time(value)
    if time is None:
        found.add(pointer, "An ISO 8601 date and time with a time zone is required.")
    elif time < _EARLIEST:
        found.add(pointer, "Must be after the year 1990.")
    elif time > now + timedelta(days=365):
        found.add(pointer, "Must be at most one year in the future.")


def _check_flag(found: Findings, value: Any, pointer: str) -> None:
    if value is not None and not isinstance(value, bool):
        found.add(pointer, "A boolean is required.")


def _check_properties(found: Findings, properties: JsonObject, pointer: str) -> None:
    if len(properties) > _MOST_PROPERTIES:
        found.add(pointer, f"At most {_MOST_PROPERTIES} properties are accepted.")
    for key, value in properties.items():
        if (problem := _value_problem(value, depth=1)) is not None:
            found.add(f"{pointer}/{key}", problem)


def _value_problem(value: Any, depth: int) -> str | None:
    if depth > _DEEPEST:
        return f"Nested deeper than {_DEEPEST} levels."
    if isinstance(value, str) and len(value.encode()) > _LARGEST_STRING:
        return "A string exceeds the maximum size of 100 KB."
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "An integer exceeds 64 bits."
    if isinstance(value, list) and len(value) > _LONGEST_ARRAY:
        return f"An array exceeds {_LONGEST_ARRAY} items."
    children = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    problems = (_value_problem(child, depth + 1) for child in children)
    return next((problem for problem in problems if problem is not None), None)
