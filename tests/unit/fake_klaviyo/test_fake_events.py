"""Events as Klaviyo takes them: what is refused, what is stored, what is dropped in silence."""

from typing import Any

import pytest

from tests.unit.fake_klaviyo.driving import (
    BULK_EVENTS,
    EMAIL,
    EVENTS,
    Driver,
    bulk,
    event,
    profile,
    single,
)

ATTRIBUTES = "/data/attributes"
BATCHES = "/data/attributes/events-bulk-create/data"


def nested(levels: int) -> dict[str, Any]:
    """An object in an object, so many levels deep."""
    value: dict[str, Any] = {"end": 1}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


def test_an_event_is_recorded_with_its_profile(klaviyo: Driver) -> None:
    person = profile(external_id="cust_1", properties={"loyalty_points_balance": 350})
    seen = klaviyo.post(EVENTS, single(event(time="2026-08-20T13:59:00.7+02:00"), person))
    assert (seen.status, seen.answer.body) == (202, b"")
    (stored,) = klaviyo.events()
    assert stored["time"] == "2026-08-20T11:59:00+00:00"
    assert stored["properties"] == {"points": 50, "$event_id": "entry-1"}
    assert stored["profile"] == {"email": EMAIL, "external_id": "cust_1"}
    assert stored["backfill"] is False
    assert klaviyo.profile()["properties"] == {"loyalty_points_balance": 350}
    assert klaviyo.profile()["last_event_date"] == "2026-08-20T11:59:00+00:00"


def test_zero_null_and_empty_properties_vanish_and_false_stays(klaviyo: Driver) -> None:
    given: dict[str, object] = {"a": 0, "b": 0.0, "c": None, "d": "", "e": False, "f": "0", "g": [], "h": -1}
    klaviyo.post(EVENTS, single(event(properties=given)))
    kept = klaviyo.events()[0]["properties"]
    assert kept == {"e": False, "f": "0", "g": [], "h": -1, "$event_id": "entry-1"}


def test_value_and_currency_are_stored_apart(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event(value=9.5, value_currency="EUR")))
    kept = klaviyo.events()[0]["properties"]
    assert (kept["$value"], kept["$value_currency"]) == (9.5, "EUR")


def test_once_a_metric_carried_a_value_later_events_have_zero(klaviyo: Driver) -> None:
    for unique_id, value in (("1", None), ("2", 5), ("3", None)):
        klaviyo.post(EVENTS, single(event(unique_id, value=value)))
    assert [e["properties"].get("$value") for e in klaviyo.events()] == [None, 5, 0]


@pytest.mark.parametrize("address", ["a@example.com", "a@test.com", "A@Example.org"])
def test_test_addresses_are_accepted_and_dropped(klaviyo: Driver, address: str) -> None:
    assert klaviyo.post(EVENTS, single(event(), profile(address))).status == 202
    assert klaviyo.events() == []
    (dropped,) = klaviyo.inspect("GET", "/dropped-events")["events"]
    assert dropped["reason"] == "test address"


def test_a_stored_unique_id_is_dropped_for_the_same_profile_and_metric_only(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event("one")))
    assert klaviyo.post(EVENTS, single(event("one", {"points": 99}))).status == 202
    klaviyo.post(EVENTS, single(event("one", metric="Other metric")))
    klaviyo.post(EVENTS, single(event("one"), profile("bill.joel@klaviyo-demo.com")))
    stored = klaviyo.events()
    assert [(e["metric"], e["profile"]["email"]) for e in stored] == [
        ("Loyalty Points Earned", EMAIL),
        ("Other metric", EMAIL),
        ("Loyalty Points Earned", "bill.joel@klaviyo-demo.com"),
    ]
    assert stored[0]["properties"]["points"] == 50


def test_an_event_id_property_does_not_deduplicate(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event("one", {"$event_id": "same", "points": 1})))
    klaviyo.post(EVENTS, single(event("two", {"$event_id": "same", "points": 1})))
    assert [e["properties"]["$event_id"] for e in klaviyo.events()] == ["one", "two"]


def test_without_a_unique_id_only_one_event_per_second_survives(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event(None)))
    klaviyo.post(EVENTS, single(event(None)))
    klaviyo.fake.advance(1)
    klaviyo.post(EVENTS, single(event(None)))
    assert [e["unique_id"] for e in klaviyo.events()] == ["1787234400", "1787234401"]


def test_create_event_wants_meta_inside_the_profiles_attributes(klaviyo: Driver) -> None:
    patch = {"patch_properties": {"unset": ["old"], "append": {"skus": "a"}}}
    klaviyo.post(EVENTS, single(event("1"), profile(properties={"old": 1, "new": 2})))
    klaviyo.post(EVENTS, single(event("2"), profile(meta=patch)))
    assert klaviyo.profile()["properties"] == {"new": 2, "skus": ["a"]}
    seen = klaviyo.post(EVENTS, single(event("3"), {**profile(), "meta": patch}))
    assert (seen.status, seen.pointers) == (400, [f"{ATTRIBUTES}/profile/data/meta"])


def test_bulk_wants_meta_beside_the_profiles_attributes(klaviyo: Driver) -> None:
    patch = {"patch_properties": {"unset": "old"}}
    klaviyo.post(BULK_EVENTS, bulk((profile(properties={"old": 1, "new": 2}), [event("1")])))
    klaviyo.post(BULK_EVENTS, bulk(({**profile(), "meta": patch}, [event("2")])))
    assert klaviyo.profile()["properties"] == {"new": 2}
    seen = klaviyo.post(BULK_EVENTS, bulk((profile(meta=patch), [event("3")])))
    assert seen.pointers == [f"{BATCHES}/0/attributes/profile/data/attributes/meta"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"metric": "x" * 128}, "/metric/data/attributes/name"),
        ({"metric": ""}, "/metric/data/attributes/name"),
        ({"unique_id": ""}, "/unique_id"),
        ({"unique_id": "x" * 256}, "/unique_id"),
        ({"time": 1_787_234_400}, "/time"),
        ({"time": "yesterday"}, "/time"),
        ({"time": "2026-08-20T14:00:00"}, "/time"),
        ({"time": "1990-06-01T00:00:00Z"}, "/time"),
        ({"time": "2027-08-21T14:00:00Z"}, "/time"),
        ({"value": "9.50"}, "/value"),
        ({"value_currency": "euro"}, "/value_currency"),
        ({"backfill": "yes"}, "/backfill"),
        ({"uniqueid": "typo"}, "/uniqueid"),
        ({"properties": {f"p{i}": 1 for i in range(401)}}, "/properties"),
        ({"properties": {"long": "x" * 100_001}}, "/properties/long"),
        ({"properties": {"many": [1] * 4_001}}, "/properties/many"),
        ({"properties": {"deep": nested(10)}}, "/properties/deep"),
        ({"properties": {"big": 2**63}}, "/properties/big"),
    ],
)
def test_an_event_beyond_a_limit_is_refused_at_its_place(
    klaviyo: Driver, changes: dict[str, Any], pointer: str
) -> None:
    seen = klaviyo.post(EVENTS, single(event(**changes)))
    assert (seen.status, seen.pointers) == (400, [f"{ATTRIBUTES}{pointer}"])
    assert klaviyo.events() == []


def test_an_event_at_the_limits_is_taken(klaviyo: Driver) -> None:
    most = {f"p{i}": 1 for i in range(396)}
    properties = {"long": "x" * 100_000, "many": [1] * 4_000, "deep": nested(9), "big": 2**63 - 1, **most}
    body = single(event("x" * 255, properties, metric="x" * 127, time="2027-08-20T14:00:00Z"))
    assert klaviyo.post(EVENTS, body).status == 202
    assert len(klaviyo.events()) == 1


@pytest.mark.parametrize("missing", ["properties", "metric", "profile"])
def test_required_fields_are_named(klaviyo: Driver, missing: str) -> None:
    body = single(event())
    del body["data"]["attributes"][missing]
    seen = klaviyo.post(EVENTS, body)
    assert seen.status == 400
    assert f"{ATTRIBUTES}/{missing}" in seen.pointers


@pytest.mark.parametrize(
    ("person", "pointer"),
    [
        (profile(None), ""),
        (profile("not-an-address"), "/email"),
        (profile("a..b@klaviyo-demo.com"), "/email"),
        (profile(f"{'x' * 83}@klaviyo-demo.com"), "/email"),
        (profile(None, phone_number="0123"), "/phone_number"),
        (profile(first_name=5), "/first_name"),
        (profile(properties=[1]), "/properties"),
        (profile(nickname="Sal"), "/nickname"),
    ],
)
def test_a_bad_profile_refuses_the_event(klaviyo: Driver, person: dict[str, Any], pointer: str) -> None:
    seen = klaviyo.post(EVENTS, single(event(), person))
    assert (seen.status, seen.pointers) == (400, [f"{ATTRIBUTES}/profile/data/attributes{pointer}"])


def test_a_bad_phone_number_beside_a_good_address_is_left_out(klaviyo: Driver) -> None:
    assert klaviyo.post(EVENTS, single(event(), profile(phone_number="0123"))).status == 202
    assert klaviyo.profile()["phone_number"] is None


def test_a_profile_part_above_95_kilobytes_is_refused(klaviyo: Driver) -> None:
    seen = klaviyo.post(EVENTS, single(event(), profile(properties={"text": "x" * 95_000})))
    assert (seen.status, seen.pointers) == (400, [f"{ATTRIBUTES}/profile/data"])


def test_bulk_records_every_event_and_keeps_backfill_from_either_level(klaviyo: Driver) -> None:
    first = bulk((profile(), [event("a"), event("b", backfill=True)]))
    second = bulk((profile("bill.joel@klaviyo-demo.com"), [event("c")]), backfill=True)
    assert [klaviyo.post(BULK_EVENTS, body).status for body in (first, second)] == [202, 202]
    stored = {e["unique_id"]: e["backfill"] for e in klaviyo.events()}
    assert stored == {"a": False, "b": True, "c": True}


def test_a_unique_id_repeated_inside_a_request_fails_all_of_it(klaviyo: Driver) -> None:
    """The repeat may stand in another batch element, under another spelling of the address."""
    body = bulk((profile(), [event("a"), event("b")]), (profile(EMAIL.upper()), [event("a")]))
    seen = klaviyo.post(BULK_EVENTS, body)
    assert seen.status == 400
    assert seen.pointers == [
        f"{BATCHES}/0/attributes/events/data/0/attributes/unique_id",
        f"{BATCHES}/1/attributes/events/data/0/attributes/unique_id",
    ]
    assert klaviyo.events() == []


def test_a_stored_unique_id_in_bulk_is_discarded_or_fails_the_request_by_switch(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event("a")))
    assert klaviyo.post(BULK_EVENTS, bulk((profile(), [event("a"), event("b")]))).status == 202
    assert [e["unique_id"] for e in klaviyo.events()] == ["a", "b"]
    klaviyo.switch(repeated_unique_id_in_bulk="fail")
    seen = klaviyo.post(BULK_EVENTS, bulk((profile(), [event("c"), event("b")])))
    assert seen.pointers == [f"{BATCHES}/0/attributes/events/data/1/attributes/unique_id"]
    assert [e["unique_id"] for e in klaviyo.events()] == ["a", "b"]


@pytest.mark.parametrize(("count", "status"), [(0, 400), (1_000, 202), (1_001, 400)])
def test_bulk_takes_one_to_a_thousand_events(klaviyo: Driver, count: int, status: int) -> None:
    half = count // 2
    events = [event(f"e{i}") for i in range(count)]
    body = bulk((profile(), events[:half]), (profile("bill.joel@klaviyo-demo.com"), events[half:]))
    assert klaviyo.post(BULK_EVENTS, body).status == status
    assert len(klaviyo.events()) == (count if status == 202 else 0)


def test_one_bad_event_refuses_the_whole_bulk_request_and_is_named(klaviyo: Driver) -> None:
    body = bulk((profile(), [event("a")]), (profile("bill.joel@klaviyo-demo.com"), [event("b"), event("")]))
    seen = klaviyo.post(BULK_EVENTS, body)
    assert seen.pointers == [f"{BATCHES}/1/attributes/events/data/1/attributes/unique_id"]
    assert klaviyo.events() == []


def test_an_unknown_profile_id_alone_loses_the_event(klaviyo: Driver) -> None:
    person = {"type": "profile", "id": "01UNKNOWN", "attributes": {}}
    assert klaviyo.post(EVENTS, single(event(), person)).status == 202
    assert klaviyo.inspect("GET", "/dropped-events")["events"][0]["reason"] == "unknown profile id"


def test_get_events_filters_by_metric_profile_and_time(klaviyo: Driver) -> None:
    for i in range(3):
        klaviyo.post(EVENTS, single(event(f"e{i}", time=f"2026-08-1{i}T00:00:00Z")))
    klaviyo.post(EVENTS, single(event("other", metric="Other", time="2026-08-12T00:00:00Z")))
    metrics = {m["attributes"]["name"]: m["id"] for m in klaviyo.get("/api/metrics").body["data"]}
    wanted = f'equals(metric_id,"{metrics["Loyalty Points Earned"]}"),greater-or-equal(datetime,2026-08-11T00:00:00Z)'
    query = {"filter": wanted, "sort": "-datetime", "include": "profile,metric"}
    seen = klaviyo.get(EVENTS, query)
    found = [e["attributes"]["event_properties"]["$event_id"] for e in seen.body["data"]]
    assert found == ["e2", "e1"]
    assert {resource["type"] for resource in seen.body["included"]} == {"profile", "metric"}


def test_metrics_of_keys_and_apps_are_kept_apart(klaviyo: Driver) -> None:
    tokens = klaviyo.inspect("POST", "/installs", {"account": "AbC123", "client_id": "local-tallyhook-app"})
    klaviyo.post(EVENTS, single(event("a")))
    klaviyo.authorization = f"Bearer {tokens['access_token']}"
    klaviyo.post(EVENTS, single(event("a")))
    stored = [(e["metric"], e["integration"]) for e in klaviyo.events()]
    assert stored == [("Loyalty Points Earned", "api"), ("Loyalty Points Earned", "tallyhook")]
    seen = klaviyo.get("/api/metrics", {"filter": 'equals(integration.name,"Tallyhook")'})
    assert [m["attributes"]["integration"]["key"] for m in seen.body["data"]] == ["tallyhook"]
