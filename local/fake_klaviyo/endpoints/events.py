"""Events: create_event, bulk_create_events, get_events."""

from collections import Counter
from typing import Any

from local.fake_klaviyo.documents import event_resource, metric_resource, profile_resource
from local.fake_klaviyo.errors import ApiError, Problem
from local.fake_klaviyo.event_checks import check_bulk_create_events, check_create_event
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.ingest import EventDraft, bulk_drafts, dedupe_key, record_event, single_draft
from local.fake_klaviyo.operations import BodyItem, Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import EXTRA_LARGE, MEDIUM

_ACCESSORS: dict[str, Any] = {
    "metric_id": lambda event: event.metric.id,
    "profile_id": lambda event: event.profile.id,
    "datetime": lambda event: event.time,
    "timestamp": lambda event: event.time.timestamp(),
}
_RANGES = ("greater-or-equal", "greater-than", "less-or-equal", "less-than")


def create_event(call: Call) -> Reply:
    """Record one event; 202 without a body, also for events that are dropped."""
    _record(call, [single_draft(call.body)], "create_event")
    return Reply(202)


def bulk_create_events(call: Call) -> Reply:
    """Record up to 1,000 events, all or none; 202 without a body."""
    drafts = list(bulk_drafts(call.body))
    _refuse_repeats(call, drafts)
    _record(call, drafts, "bulk_create_events")
    return Reply(202)


def get_events(call: Call) -> Reply:
    """Recorded events, filtered by metric, profile and time."""
    events = call.query.select(call.account.events, _ACCESSORS)
    page = call.query.page(events)
    base = call.request.base_url
    document: JsonObject = {
        "data": [call.query.trimmed(event_resource(event, base)) for event in page],
        "links": call.query.links(call.request, len(events)),
    }
    if call.query.include:
        document["included"] = [call.query.trimmed(resource) for resource in _included(call, page)]
    return Reply(200, document)


def _included(call: Call, events: Any) -> list[JsonObject]:
    base = call.request.base_url
    found: dict[str, JsonObject] = {}
    for event in events:
        if "metric" in call.query.include:
            found[event.metric.id] = metric_resource(event.metric, base)
        if "profile" in call.query.include:
            found[event.profile.id] = profile_resource(event.profile, base)
    return list(found.values())


def _refuse_repeats(call: Call, drafts: list[EventDraft]) -> None:
    """A repeated unique_id fails the whole request: within it always, against stored events by switch."""
    given = [draft for draft in drafts if draft.attributes.get("unique_id") is not None]
    keys = [dedupe_key(call.account, draft, call.now) for draft in given]
    counts = Counter(keys)
    stored: set[tuple[str, str, str]] = set()
    if call.services.switches.repeated_unique_id_in_bulk == "fail":
        names = {m.id: m.name for m in call.account.metrics.values() if m.integration == call.principal.integration}
        stored = {(p, names[m], u) for p, m, u in call.account.event_keys if m in names}
    problems = [
        Problem("The unique_id is repeated for this profile and metric.", f"{draft.pointer}/unique_id")
        for draft, key in zip(given, keys, strict=True)
        if counts[key] > 1 or key in stored
    ]
    if problems:
        raise ApiError(400, problems)


def _record(call: Call, drafts: list[EventDraft], operation: str) -> None:
    for draft in drafts:
        event = record_event(call.account, draft, call.principal.integration, call.now, operation)
        if event is not None:
            call.services.deliveries.announce(call.account, event)


def _flat(draft: EventDraft) -> BodyItem:
    attributes = draft.profile["attributes"]
    fields = {
        "unique_id": draft.attributes.get("unique_id"),
        "email": attributes.get("email"),
        "external_id": attributes.get("external_id"),
    }
    return BodyItem(fields, draft.pointer)


def _single_items(body: JsonObject) -> list[BodyItem]:
    return [_flat(single_draft(body))]


def _bulk_items(body: JsonObject) -> list[BodyItem]:
    return [_flat(draft) for draft in bulk_drafts(body)]


OPERATIONS = (
    Operation(
        "create_event",
        "POST",
        "/api/events",
        ("events:write",),
        EXTRA_LARGE,
        create_event,
        check=check_create_event,
        items=_single_items,
    ),
    Operation(
        "bulk_create_events",
        "POST",
        "/api/event-bulk-create-jobs",
        ("events:write",),
        MEDIUM,
        bulk_create_events,
        check=check_bulk_create_events,
        items=_bulk_items,
    ),
    Operation(
        "get_events",
        "GET",
        "/api/events",
        ("events:read",),
        EXTRA_LARGE,
        get_events,
        QueryRules(
            fields=("event", "metric", "profile"),
            include=("metric", "profile"),
            sort=("datetime", "timestamp"),
            filters={
                "metric_id": ("equals",),
                "profile_id": ("equals",),
                "datetime": _RANGES,
                "timestamp": _RANGES,
            },
            page_size=(200, 1_000),
            cursor=True,
        ),
    ),
)
