"""System webhooks: managing them, and signed deliveries with retries."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from local.fake_klaviyo.seed import Seed, SeedAccount, SeedKey
from local.fake_klaviyo.signing import signature
from tests.unit.fake_klaviyo.driving import (
    EMAIL,
    EVENTS,
    REVIEW_TOPIC,
    SECRET,
    WEBHOOKS,
    Driver,
    event,
    single,
    webhook_body,
)

URL = "https://loyalty.klaviyo-demo.com/hooks/1"
RATING_TOPIC = "event:klaviyo.submitted_rating"


def update_body(webhook_id: str, topics: list[str] | None = None, **attributes: Any) -> dict[str, Any]:
    """An update_webhook body."""
    data: dict[str, Any] = {"type": "webhook", "id": webhook_id, "attributes": attributes}
    if topics is not None:
        wanted = [{"type": "webhook-topic", "id": topic} for topic in topics]
        data["relationships"] = {"webhook-topics": {"data": wanted}}
    return {"data": data}


def review(klaviyo: Driver, **fields: Any) -> Any:
    """A customer submits a review and its first deliveries go out."""
    submitted = klaviyo.inspect("POST", "/reviews", {"email": EMAIL, **fields})
    klaviyo.fake.advance(0)
    return submitted


def test_a_webhook_is_created_with_a_masked_url_and_no_secret(klaviyo: Driver) -> None:
    seen = klaviyo.post(WEBHOOKS, webhook_body(description="Awards points", url=f"{URL}?token=1"))
    assert seen.status == 201
    attributes = seen.body["data"]["attributes"]
    assert attributes["endpoint_url"] == "https://loyalty.klaviyo-demo.com/*****"
    assert (attributes["name"], attributes["description"], attributes["enabled"]) == ("Reviews", "Awards points", True)
    assert SECRET not in seen.answer.body.decode()
    klaviyo.fake.advance(1)
    assert SECRET not in klaviyo.get(WEBHOOKS).answer.body.decode()
    (full,) = klaviyo.inspect("GET", "/webhooks")["webhooks"]
    assert (full["endpoint_url"], full["secret_key"]) == (f"{URL}?token=1", SECRET)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (webhook_body(secret_key="x" * 15), "/data/attributes/secret_key"),
        (webhook_body(name=None), "/data/attributes/name"),
        (webhook_body(enabled=True), "/data/attributes/enabled"),
        (webhook_body(url="http://loyalty.klaviyo-demo.com/hooks"), "/data/attributes/endpoint_url"),
        (webhook_body(url="ftp://127.0.0.1/hooks"), "/data/attributes/endpoint_url"),
        (webhook_body("event:klaviyo.published_review"), "/data/relationships/webhook-topics/data/0/id"),
    ],
)
def test_a_bad_webhook_is_refused_at_its_place(klaviyo: Driver, body: dict[str, Any], pointer: str) -> None:
    seen = klaviyo.post(WEBHOOKS, body)
    assert (seen.status, seen.pointers) == (400, [pointer])


def test_a_webhook_needs_a_topic(klaviyo: Driver) -> None:
    body = webhook_body()
    body["data"]["relationships"]["webhook-topics"]["data"] = []
    assert klaviyo.post(WEBHOOKS, body).status == 400


def test_plain_http_on_this_machine_is_accepted_by_switch(klaviyo: Driver) -> None:
    assert klaviyo.post(WEBHOOKS, webhook_body(url="http://127.0.0.1:4566/hooks")).status == 201
    klaviyo.switch(allow_loopback_http_webhooks=False)
    klaviyo.fake.advance(1)
    assert klaviyo.post(WEBHOOKS, webhook_body(url="http://127.0.0.1:4566/hooks")).status == 400


def test_ten_webhooks_are_the_most(klaviyo: Driver) -> None:
    for _ in range(10):
        klaviyo.webhook()
    assert klaviyo.post(WEBHOOKS, webhook_body()).status == 400


def test_a_private_key_without_advanced_kdp_may_not_use_webhooks_but_an_app_may() -> None:
    account = SeedAccount(id="AbC123", advanced_kdp=False, private_keys=[SeedKey(key="pk_plain")])
    klaviyo = Driver(Seed(accounts=[account], apps=Seed.default().apps))
    klaviyo.authorization = "Klaviyo-API-Key pk_plain"
    seen = klaviyo.get(WEBHOOKS)
    assert (seen.status, seen.code) == (403, "permission_denied")
    assert seen.body["errors"][0]["detail"] == "You must have Advanced KDP enabled to use this endpoint."
    tokens = klaviyo.inspect("POST", "/installs", {"account": "AbC123", "client_id": "local-tallyhook-app"})
    klaviyo.authorization = f"Bearer {tokens['access_token']}"
    assert klaviyo.get(WEBHOOKS).status == 200


def test_topics_are_those_of_klaviyo_and_of_the_accounts_metrics(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event(metric="Viewed Product!")))
    topics = [topic["id"] for topic in klaviyo.get("/api/webhook-topics").body["data"]]
    assert {REVIEW_TOPIC, RATING_TOPIC, "event:klaviyo.ready_to_review", "event:api.viewed_product"} <= set(topics)
    assert topics == sorted(topics)


def test_review_topics_are_missing_without_klaviyo_reviews(klaviyo: Driver) -> None:
    klaviyo.inspect("PATCH", "/accounts/AbC123", {"review_topics": False})
    assert klaviyo.post(WEBHOOKS, webhook_body()).status == 400


def test_an_update_changes_what_is_given_and_replaces_the_topics(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    body = update_body(webhook_id, [RATING_TOPIC], name="New", description=None, secret_key="another-secret-1")
    assert klaviyo.send("PATCH", f"{WEBHOOKS}/{webhook_id}", body).status == 200
    (stored,) = klaviyo.inspect("GET", "/webhooks")["webhooks"]
    assert (stored["name"], stored["topics"]) == ("New", [RATING_TOPIC])
    assert (stored["secret_key"], stored["endpoint_url"]) == ("another-secret-1", URL)


def test_an_update_for_another_id_is_a_conflict_and_one_of_an_unknown_webhook_404(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    assert klaviyo.send("PATCH", f"{WEBHOOKS}/{webhook_id}", update_body("01OTHER")).status == 409
    klaviyo.fake.advance(1)
    assert klaviyo.send("PATCH", f"{WEBHOOKS}/01OTHER", update_body("01OTHER")).status == 404


def test_a_deleted_webhook_is_gone(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    assert klaviyo.send("DELETE", f"{WEBHOOKS}/{webhook_id}").status == 204
    klaviyo.fake.advance(1)
    assert klaviyo.send("DELETE", f"{WEBHOOKS}/{webhook_id}").status == 404
    review(klaviyo)
    assert klaviyo.receiver.received == []


def test_a_submitted_review_is_delivered_signed(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    submitted = review(klaviyo, rating=4, status="pending")
    ((url, raw, headers),) = klaviyo.receiver.received
    assert url == URL
    assert headers["Klaviyo-Webhook-Id"] == webhook_id
    assert headers["Klaviyo-Signature"] == signature(SECRET, raw, headers["Klaviyo-Timestamp"])
    (body,) = klaviyo.receiver.bodies
    assert body["meta"] == {
        "klaviyo_account_id": "AbC123",
        "klaviyo_webhook_id": webhook_id,
        "timestamp": "2026-08-20T14:00:01+00:00",
        "version": "2026-07-15",
    }
    (item,) = body["data"]
    resource = item["payload"]["data"]
    properties = resource["attributes"]["event_properties"]
    assert (item["topic"], item["external_id"]) == (REVIEW_TOPIC, resource["id"])
    assert resource["attributes"]["datetime"] == "2026-08-20 14:00:01+00:00"
    assert (properties["review_rating"], properties["review_status"]) == (4, "pending")
    assert (properties["review_email"], properties["review_id"]) == (EMAIL, submitted["review"]["id"])
    assert "email" not in str(resource["relationships"])


def test_the_signature_covers_the_body_then_the_timestamp() -> None:
    """The vector was computed with OpenSSL: HMAC-SHA256 over body and header without a separator."""
    found = signature("test-secret-key-0123456789abcdef", b'{"data":[]}', "Thu, 20 Aug 2026 14:04:02 GMT")
    assert found == "158c013e83c5e4fd6f6b664972a52a33d1703f1f4f1a9eac9433869fcdd74832"


def test_the_timestamp_header_is_hours_off_as_on_the_live_platform_unless_switched(klaviyo: Driver) -> None:
    klaviyo.webhook()
    review(klaviyo)
    klaviyo.switch(signature_clock_offset_seconds=0)
    review(klaviyo)
    found = [headers["Klaviyo-Timestamp"] for _, _, headers in klaviyo.receiver.received]
    assert found == ["Thu, 20 Aug 2026 09:00:01 GMT", "Thu, 20 Aug 2026 14:00:01 GMT"]


def test_only_webhooks_on_the_topic_get_the_event(klaviyo: Driver) -> None:
    ratings = klaviyo.webhook(RATING_TOPIC)
    reviews = klaviyo.webhook()
    assert review(klaviyo)["webhooks"] == [reviews]
    assert review(klaviyo, review_type="rating")["webhooks"] == [ratings]
    assert review(klaviyo, review_type="question")["webhooks"] == []


def test_events_of_the_delay_share_a_batch_of_at_most_a_thousand(klaviyo: Driver) -> None:
    klaviyo.webhook()
    klaviyo.switch(delivery_delay_seconds=90)
    review(klaviyo, times=1_001)
    assert klaviyo.receiver.received == []
    klaviyo.fake.advance(90)
    assert [len(body["data"]) for body in klaviyo.receiver.bodies] == [1_000, 1]


def test_a_new_webhook_gets_events_only_after_its_activation(klaviyo: Driver) -> None:
    klaviyo.switch(webhook_activation_seconds=180)
    klaviyo.webhook()
    review(klaviyo)
    klaviyo.fake.advance(180)
    review(klaviyo)
    assert len(klaviyo.receiver.received) == 1


@pytest.mark.parametrize("status", [204, 301, 400, 401, 500, 503, None])
def test_anything_but_200_201_202_is_retried_with_the_same_body_signed_anew(
    klaviyo: Driver, status: int | None
) -> None:
    klaviyo.webhook()
    klaviyo.receiver.status = status
    review(klaviyo)
    klaviyo.receiver.status = 202
    klaviyo.fake.advance(5)
    (_, first, old), (_, second, new) = klaviyo.receiver.received
    assert first == second
    assert old["Klaviyo-Timestamp"] != new["Klaviyo-Timestamp"]
    assert new["Klaviyo-Signature"] == signature(SECRET, second, new["Klaviyo-Timestamp"])
    (batch,) = klaviyo.inspect("GET", "/deliveries")["deliveries"]
    assert (batch["state"], len(batch["attempts"])) == ("delivered", 2)


def test_retries_back_off_to_one_hour_until_the_webhook_is_disabled_after_two_days(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    klaviyo.receiver.status = 500
    review(klaviyo)
    klaviyo.fake.advance(48 * 3_600)
    (batch,) = klaviyo.inspect("GET", "/deliveries")["deliveries"]
    times = [datetime.fromisoformat(attempt["at"]) for attempt in batch["attempts"]]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert gaps[:11] == [5.0 * 2**i for i in range(10)] + [3_600.0]
    assert set(gaps[10:]) == {3_600.0}
    assert klaviyo.get(f"{WEBHOOKS}/{webhook_id}").body["data"]["attributes"]["enabled"] is True
    klaviyo.fake.advance(3_600)
    assert klaviyo.get(f"{WEBHOOKS}/{webhook_id}").body["data"]["attributes"]["enabled"] is False
    count = len(klaviyo.receiver.received)
    review(klaviyo)
    klaviyo.fake.advance(86_400)
    assert len(klaviyo.receiver.received) == count


def test_an_enabled_webhook_starts_a_new_series_and_old_events_are_not_replayed(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    klaviyo.receiver.status = 500
    review(klaviyo)
    klaviyo.fake.advance(49 * 3_600)
    klaviyo.receiver.status = 200
    klaviyo.send("PATCH", f"{WEBHOOKS}/{webhook_id}", update_body(webhook_id, enabled=True))
    klaviyo.receiver.received.clear()
    submitted = review(klaviyo)
    klaviyo.fake.advance(86_400)
    assert [item["external_id"] for body in klaviyo.receiver.bodies for item in body["data"]] == [
        submitted["event"]["id"]
    ]


def test_an_exact_body_is_delivered_as_often_as_asked(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    order = {"raw": '{"data": [],  "meta": {}}', "times": 3, "concurrency": 2}
    done = klaviyo.inspect("POST", f"/webhooks/{webhook_id}/deliver", order)
    assert [answer["status"] for answer in done["answers"]] == [200, 200, 200]
    for _, raw, headers in klaviyo.receiver.received:
        assert raw == b'{"data": [],  "meta": {}}'
        assert headers["Klaviyo-Signature"] == signature(SECRET, raw, headers["Klaviyo-Timestamp"])


def test_a_made_to_order_delivery_may_carry_wrong_or_no_headers(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    headers = {"Klaviyo-Signature": "0" * 64, "Klaviyo-Timestamp": ""}
    klaviyo.inspect("POST", f"/webhooks/{webhook_id}/deliver", {"body": {"data": []}, "headers": headers})
    ((_, _, sent),) = klaviyo.receiver.received
    assert sent["Klaviyo-Signature"] == "0" * 64
    assert "Klaviyo-Timestamp" not in sent


def test_recorded_events_can_be_delivered_again(klaviyo: Driver) -> None:
    webhook_id = klaviyo.webhook()
    event_id = review(klaviyo)["event"]["id"]
    klaviyo.inspect("POST", f"/webhooks/{webhook_id}/deliver", {"event_ids": [event_id, event_id]})
    assert [item["external_id"] for item in klaviyo.receiver.bodies[1]["data"]] == [event_id, event_id]


def test_api_metrics_have_topics_that_deliver_too(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event("1")))
    klaviyo.webhook("event:api.loyalty_points_earned")
    klaviyo.post(EVENTS, single(event("2")))
    klaviyo.fake.advance(0)
    (body,) = klaviyo.receiver.bodies
    assert body["data"][0]["payload"]["data"]["attributes"]["event_properties"]["$event_id"] == "2"
