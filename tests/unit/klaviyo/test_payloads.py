"""Request bodies: nesting, sizes, and finding the event that a pointer names."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.adapters.klaviyo.payloads import (
    MAX_BYTES,
    MAX_EVENTS,
    bulk_events,
    create_event,
    create_webhook,
    import_profile,
)
from loyalty.domain.telling import MetricEvent, ProfileState

HAPPENED = datetime(2026, 8, 20, 14, 3, 11, 250_000, tzinfo=UTC)


def an_event(number: int, email: str = "sarah@klaviyo-demo.com", **properties: Any) -> MetricEvent:
    return MetricEvent(email, f"m-{number:010d}", "Points Earned on Review", HAPPENED, {"points": 5, **properties})


def elements(body: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(body)["data"]["attributes"]["events-bulk-create"]["data"]
    return found


def test_each_profile_appears_once_with_its_events_in_the_order_given() -> None:
    given = [an_event(1), an_event(2, "bill@klaviyo-demo.com"), an_event(3)]
    request = bulk_events(given)
    assert request.count == 3
    assert [
        (
            element["attributes"]["profile"]["data"]["attributes"],
            [event["attributes"]["unique_id"] for event in element["attributes"]["events"]["data"]],
        )
        for element in elements(request.body)
    ] == [
        ({"email": "sarah@klaviyo-demo.com"}, ["m-0000000001", "m-0000000003"]),
        ({"email": "bill@klaviyo-demo.com"}, ["m-0000000002"]),
    ]


def test_an_event_has_its_id_time_metric_and_properties_and_no_profile_properties() -> None:
    """Late events must not bring old profile values with them."""
    attributes = elements(bulk_events([an_event(1)]).body)[0]["attributes"]
    assert attributes["events"]["data"][0] == {
        "type": "event",
        "attributes": {
            "unique_id": "m-0000000001",
            "time": "2026-08-20T14:03:11+00:00",
            "properties": {"points": 5},
            "metric": {"data": {"type": "metric", "attributes": {"name": "Points Earned on Review"}}},
        },
    }
    assert "properties" not in attributes["profile"]["data"]["attributes"]


def test_a_request_holds_a_thousand_events() -> None:
    request = bulk_events([an_event(number) for number in range(MAX_EVENTS + 1)])
    assert request.count == MAX_EVENTS
    assert len(elements(request.body)[0]["attributes"]["events"]["data"]) == MAX_EVENTS


@pytest.mark.parametrize("text", ["x" * 20_000, "é" * 10_000, '"' * 10_000])
def test_a_request_stays_below_five_megabytes_and_is_filled(text: str) -> None:
    """Bytes are counted as they are sent, escapes and other alphabets included."""
    given = [an_event(number, f"m{number}@klaviyo-demo.com", reason=text) for number in range(400)]
    request = bulk_events(given)
    assert 0.98 * MAX_BYTES < len(request.body) <= MAX_BYTES
    assert request.count < 400


def test_a_single_event_is_sent_whatever_its_size() -> None:
    """Klaviyo then says why not; leaving it out would send it round and round."""
    assert bulk_events([an_event(1, reason="x" * MAX_BYTES)]).count == 1


@pytest.mark.parametrize(
    ("pointer", "positions"),
    [
        ("/data/attributes/events-bulk-create/data/0/attributes/events/data/1/attributes/time", (2,)),
        ("/data/attributes/events-bulk-create/data/1/attributes/events/data/0", (1,)),
        ("/data/attributes/events-bulk-create/data/0/attributes/profile/data/attributes/email", (0, 2)),
        ("/data/attributes/events-bulk-create/data/0", (0, 2)),
        ("/data/attributes/events-bulk-create/data/0/attributes/events/data/7", ()),
        ("/data/attributes/events-bulk-create/data/9", ()),
        ("/data/attributes/events-bulk-create/data", ()),
        ("/data", ()),
        ("", ()),
    ],
)
def test_a_pointer_names_events_by_their_position_in_what_was_given(pointer: str, positions: tuple[int, ...]) -> None:
    """Nesting changes the order, so the pointer's numbers are not the positions."""
    request = bulk_events([an_event(1), an_event(2, "bill@klaviyo-demo.com"), an_event(3)])
    assert request.positions([pointer]) == positions


def test_a_single_event_stands_with_its_profile() -> None:
    body = json.loads(create_event(an_event(1)))
    assert body["data"]["type"] == "event"
    assert body["data"]["attributes"]["profile"] == {
        "data": {"type": "profile", "attributes": {"email": "sarah@klaviyo-demo.com"}}
    }


def test_a_profile_has_one_identifier_its_properties_and_what_to_remove() -> None:
    """Two identifiers of two profiles would be refused with 409; null would not remove anything in bulk."""
    body = json.loads(import_profile(ProfileState("sarah@klaviyo-demo.com", {"loyalty_points_balance": 0}, ("a", "b"))))
    assert body == {
        "data": {
            "type": "profile",
            "attributes": {"email": "sarah@klaviyo-demo.com", "properties": {"loyalty_points_balance": 0}},
            "meta": {"patch_properties": {"unset": ["a", "b"]}},
        }
    }


def test_nothing_to_remove_leaves_no_patch_behind() -> None:
    assert "meta" not in json.loads(import_profile(ProfileState("sarah@klaviyo-demo.com", {})))["data"]


def test_a_webhook_names_its_topics_as_a_relationship() -> None:
    body = json.loads(create_webhook("Reviews", "https://loyalty.example.com/x", "s" * 32, ("event:a", "event:b")))
    assert body["data"]["relationships"]["webhook-topics"]["data"] == [
        {"type": "webhook-topic", "id": "event:a"},
        {"type": "webhook-topic", "id": "event:b"},
    ]


def test_what_is_back_fill_says_so_at_both_levels_and_stands_apart() -> None:
    """It sets off no flow; which level wins where they differ, the contract does not say (docs/klaviyo.md 3)."""
    history = replace(an_event(1), backfill=True)
    live, past = elements(bulk_events([history, an_event(2)]).body)[::-1]
    assert past["attributes"]["backfill"] is True
    assert past["attributes"]["events"]["data"][0]["attributes"]["backfill"] is True
    assert "backfill" not in live["attributes"]
    assert "backfill" not in live["attributes"]["events"]["data"][0]["attributes"]
    assert json.loads(create_event(history))["data"]["attributes"]["backfill"] is True
    assert bulk_events([history, an_event(2)]).positions(
        ["/data/attributes/events-bulk-create/data/1/attributes/events/data/0"]
    ) == (1,)
