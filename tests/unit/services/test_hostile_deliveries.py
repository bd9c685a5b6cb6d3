"""Bodies from a corpus at every door that reviews come in by: never a 5xx, and nothing unsigned has an effect."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest

from functions.review_flow import app as review_flow
from functions.review_webhook import app as review_webhook
from loyalty.contracts.review_messages import parse_message
from tests.deliveries import a_body, a_proxy_event, a_review_event, signed
from tests.gateway import Answered, Context, a_request, answered
from tests.hostile_bodies import HOSTILE, WITHIN_A_REVIEW
from tests.unit.services.test_judgeme_reviews import SHOP, World, a_judgeme_review
from tests.unit.services.test_take_flow_review import REVIEW, Endpoint

each_body = pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
each_value = pytest.mark.parametrize("value", WITHIN_A_REVIEW.values(), ids=WITHIN_A_REVIEW.keys())


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    assert world.asks("PUT", {"secret": SHOP}).status == 200
    yield world
    review_webhook.intake.replace(None)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    yield Endpoint()
    review_flow.service.replace(None)


def delivered(path: str, headers: dict[str, str], body: bytes) -> Answered:
    event = a_request("POST", path, "", headers=headers)
    event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return answered(review_webhook.lambda_handler(event, Context()))  # type: ignore[arg-type]


def judgeme(body: bytes, secret: str) -> dict[str, str]:
    return {"JUDGEME-HMAC-SHA256": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@each_body
def test_signed_or_not_no_webhook_breaks(world: World, body: bytes) -> None:
    """R120."""
    unsigned = [
        delivered("/webhooks/klaviyo/candles", {}, body),
        delivered("/webhooks/klaviyo/candles", signed(body, secret="not the secret, not at all"), body),
        delivered("/webhooks/judgeme/candles", {}, body),
        delivered("/webhooks/judgeme/candles", judgeme(body, "not the secret"), body),
    ]
    assert [answer.status for answer in unsigned] == [401] * 4
    assert world.queue.messages == []
    authentic = [
        delivered("/webhooks/klaviyo/candles", signed(body), body),
        delivered("/webhooks/judgeme/candles", judgeme(body, SHOP), body),
    ]
    assert {answer.status for answer in authentic} <= {202, 400, 401}
    assert all(answer.document["code"] for answer in authentic if answer.status != 202)


@each_body
def test_no_body_breaks_the_flows_door(endpoint: Endpoint, body: bytes) -> None:
    event = a_request("POST", "/programs/candles/reviews", "", headers={"api-key": endpoint.key.text})
    event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    answer = answered(review_flow.lambda_handler(event, Context()))  # type: ignore[arg-type]
    assert answer.status in {400, 413, 422}
    assert endpoint.queue.messages == []
    answer = answered(review_flow.lambda_handler({**event, "headers": {}}, Context()))  # type: ignore[arg-type]
    assert answer.status == 401


@each_value
def test_no_value_in_klaviyos_review_breaks_the_intake(world: World, value: Any) -> None:
    """Each field in turn; the other reviews of the delivery are taken in whatever becomes of this one."""
    names = a_review_event(1)["payload"]["data"]["attributes"]["event_properties"]
    events = [a_review_event(number, **{name: value}) for number, name in enumerate(names)]
    body = a_body(*events, a_review_event(99))
    answer = answered(review_webhook.lambda_handler(a_proxy_event("candles", signed(body), body), Context()))  # type: ignore[arg-type]
    assert answer.status == 202
    assert len(world.queued) == len(events) + 1
    assert world.queued[-1].review_key == f"{99:032x}"


@each_value
def test_no_value_in_judgemes_review_breaks_the_intake(world: World, value: Any) -> None:
    for name in a_judgeme_review():
        assert world.delivers({"review": a_judgeme_review(**{name: value})}).status == 202
    assert len(world.queued) == len(a_judgeme_review())


@each_value
def test_no_value_in_a_flows_review_breaks_its_door(endpoint: Endpoint, value: Any) -> None:
    names = (*REVIEW, "event_id", "content", "text_length", "submitted_at", "product", "product_url", "status", "kind")
    answers = [endpoint.post({**REVIEW, name: value}) for name in names]
    assert {answer.status for answer in answers} <= {202, 413, 422}
    assert len(endpoint.queue.messages) == sum(answer.status == 202 for answer in answers)
    assert all(parse_message(message.body) for message in endpoint.queue.messages)
