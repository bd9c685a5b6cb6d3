"""Reviews that Klaviyo's flows send: who may, what is refused with a hint, and what Klaviyo is told (R14, R136)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.review_flow import app
from loyalty.contracts.builder import build_webhook
from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.contracts.review_facts import digester
from loyalty.contracts.review_messages import ReviewMessage, parse_message
from loyalty.domain.adjustments import Direction
from loyalty.domain.api_keys import Scope
from loyalty.domain.reviews import ReviewWay, SubmissionKind
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.take_flow_review import TakeFlowReview
from tests.builders import a_program
from tests.deliveries import TEXT, a_review_event
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue
from tests.gateway import Answered, Context, a_request, answered
from tests.logs import written

ROOT = Path(__file__).resolve().parents[3]
NAME = f"{1:032x}"
REVIEW = {"email": "sarah.mason@klaviyo-demo.com", "review_id": NAME, "rating": "5", "verified": "True"}


class Endpoint:
    """The function with its use case on fakes, and a key for its program."""

    def __init__(self, *, scope: Scope = Scope.REVIEWS_WRITE, per_minute: int = 6000) -> None:
        self.program, self.clock, keys = a_program(), FixedClock(), MemoryKeys()
        self.queue = MemoryQueue()
        self.key = KeepKeys(keys, self.clock, SeededRandomness()).create(
            self.program.slug, "Flows", [scope], per_minute=per_minute
        )
        admit = AdmitCaller(keys, MemoryPrograms(self.program), MemoryCounter(), self.clock)
        app.service.replace(TakeFlowReview(admit, self.queue, self.clock))

    def post(self, body: object, *, slug: str = "candles", flow: str = "VeYaWr", **headers: str) -> Answered:
        sent = {"api-key": self.key.text, "X-Klaviyo-Flow-ID": flow, **headers}
        event = a_request("POST", f"/programs/{slug}/reviews", body, headers=sent)
        return answered(app.lambda_handler(event, Context()))  # type: ignore[arg-type]

    @property
    def taken(self) -> list[ReviewMessage]:
        messages = [parse_message(message.body) for message in self.queue.messages]
        return [message for message in messages if isinstance(message, ReviewMessage)]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    yield Endpoint()
    app.service.replace(None)


def test_a_review_is_queued_and_acknowledged_with_its_name(endpoint: Endpoint) -> None:
    answer = endpoint.post(REVIEW)
    assert (answer.status, answer.document) == (202, {"review": NAME})
    (message,) = endpoint.taken
    assert (message.review_key, message.way, message.kind) == (NAME, ReviewWay.FLOW, SubmissionKind.REVIEW)
    assert (message.email, message.rating, message.verified) == (REVIEW["email"], 5, True)
    assert message.submitted_at == START
    assert endpoint.queue.messages[0].attributes == {"program": "candles", "correlation_id": "request-1"}


def test_flow_and_webhook_name_a_review_alike(endpoint: Endpoint) -> None:
    """R136: whichever comes first is the only one that pays; text and product compare too (R110, R111)."""
    url = "https://shop.klaviyo-demo.com/products/candle"
    endpoint.post({**REVIEW, "event_id": f"review-{NAME}", "content": TEXT, "product_url": url})
    told = read_review("candles", a_review_event(1), digester(endpoint.program))
    assert isinstance(told, ReviewMessage)
    (message,) = endpoint.taken
    same = ("review_key", "other_keys", "text_length", "text_digest", "product_key", "email", "rating")
    assert [getattr(message, name) for name in same] == [getattr(told, name) for name in same]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"rating": 4}, {"rating": 4}),
        ({"rating": ""}, {"rating": None}),
        ({"rating": 4.0}, {"rating": 4}),
        ({"rating": "4.0"}, {"rating": 4}),
        ({"verified": True}, {"verified": True}),
        ({"verified": "False"}, {"verified": False}),
        ({"verified": ""}, {"verified": False}),
        ({"text_length": "120"}, {"text_length": 120}),
        ({"text_length": 7}, {"text_length": 7}),
        ({"text_length": ""}, {"text_length": 0}),
        ({"content": " äöü "}, {"text_length": 3}),
        ({"content": "{{ I like curly braces }}"}, {"text_length": 25}),
        ({"kind": "rating"}, {"kind": SubmissionKind.RATING}),
        ({"status": "Pending"}, {"status": "pending"}),
        ({"submitted_at": ""}, {"submitted_at": START}),
        ({"submitted_at": "2026-08-20 14:03:11+00:00"}, {"submitted_at": datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)}),
        ({"submitted_at": 1787234591}, {"submitted_at": datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)}),
        ({"submitted_at": "1787234591"}, {"submitted_at": datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)}),
        ({"product_url": f"https://x/{'y' * 600}"}, {"product_url": f"https://x/{'y' * 490}"}),
        ({"product": "y" * 201}, {"product": "y" * 200}),
        ({"review_id": "", "event_id": f"rating-{NAME}"}, {"review_key": NAME, "other_keys": ()}),
        ({"review_id": "None", "event_id": f"rating-{NAME}"}, {"review_key": NAME}),
        ({"review_id": "42", "event_id": f"review-{NAME}"}, {"review_key": "42", "other_keys": (NAME,)}),
    ],
)
def test_what_klaviyo_renders_is_read(endpoint: Endpoint, sent: dict[str, Any], read: dict[str, Any]) -> None:
    """Numbers and truths come as words, what is missing as nothing."""
    assert endpoint.post({**REVIEW, **sent}).status == 202
    (message,) = endpoint.taken
    assert {name: getattr(message, name) for name in read} == read


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"review_id": "{{ event.review_id }}"}, "unrendered_template"),
        ({"email": "{{ person.email }}"}, "unrendered_template"),
        ({"rating": "{{ event.review_rating }}"}, "unrendered_template"),
        ({"verified": "{% if event.review_verified %}"}, "unrendered_template"),
        ({"text_length": "{{ event.review_content|length }}"}, "unrendered_template"),
        ({"submitted_at": "{{ event.datetime }}"}, "unrendered_template"),
        ({"rating": "6"}, "invalid_rating"),
        ({"rating": "4.5"}, "invalid_rating"),
        ({"text_length": "many"}, "invalid_length"),
        ({"submitted_at": "soon"}, "invalid_time"),
        ({"submitted_at": "1787"}, "invalid_time"),
        ({"email": "nobody"}, "invalid_email"),
        ({"review_id": "", "event_id": " "}, "no_review_id"),
        ({"stars": 5}, "extra_forbidden"),
    ],
)
def test_what_is_wrong_is_refused_with_a_hint_and_nothing_queued(
    endpoint: Endpoint, sent: dict[str, Any], code: str
) -> None:
    """Klaviyo does not send it again after a 4xx, so that is for truly bad requests only (docs/klaviyo.md 7)."""
    answer = endpoint.post({**REVIEW, **sent})
    assert (answer.status, answer.document["code"]) == (422, "invalid_review")
    assert code in {error["code"] for error in answer.document["errors"]}
    assert endpoint.queue.messages == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([REVIEW], 422, "not_an_object"),
        ("no json", 400, "malformed_json"),
        (None, 400, "malformed_json"),
        ({**REVIEW, "content": "x" * 70_000}, 413, "body_too_large"),
    ],
)
def test_a_body_that_is_no_review_is_refused(endpoint: Endpoint, body: Any, status: int, code: str) -> None:
    answer = endpoint.post(body)
    assert (answer.status, answer.document["code"]) == (status, code)


def test_only_a_key_of_the_program_with_the_scope_opens_it(endpoint: Endpoint) -> None:
    assert endpoint.post(REVIEW, **{"api-key": ""}).status == 401
    assert endpoint.post(REVIEW, **{"api-key": endpoint.key.text[:-1] + "a"}).status == 401
    assert endpoint.post(REVIEW, slug="soaps").status == 404
    assert Endpoint(scope=Scope.BALANCE_WRITE).post(REVIEW).document["code"] == "missing_scope"
    assert Endpoint(scope=Scope.ADMIN).post(REVIEW).status == 202
    assert endpoint.queue.messages == []


def test_our_own_trouble_is_a_503_that_klaviyo_sends_again(endpoint: Endpoint) -> None:
    """Klaviyo comes back after 429, 500, 502 and 503 only (docs/klaviyo.md 7)."""
    endpoint.queue.troubles = 1
    answer = endpoint.post(REVIEW)
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    limited = Endpoint(per_minute=1)
    assert [limited.post(REVIEW).status for _ in range(2)] == [202, 503]
    assert limited.post(REVIEW, flow="").status == 429


def test_what_the_builder_gives_is_taken_as_klaviyo_renders_it(endpoint: Endpoint) -> None:
    """R132, R136: pasted as it stands; unrendered it is refused, rendered it names the review as the webhook does."""
    built = build_webhook(
        endpoint.program, "https://x/v1", "", direction=Direction.INCREASE, idea="submit_review", amount=1
    )
    assert endpoint.post(built.body).document["code"] == "invalid_review"
    event = a_review_event(1)["payload"]["data"]["attributes"]["event_properties"]
    rendered = built.body.replace("{{ person.email }}", event["review_email"])
    rendered = rendered.replace("{{ event.review_content|length }}", str(len(event["review_content"])))
    rendered = rendered.replace("{{ event|lookup:'$event_id' }}", event["$event_id"])
    rendered = rendered.replace("{{ event.structured_product.url }}", event["structured_product"]["url"])
    rendered = rendered.replace("{{ event.product.id }}", "")
    for name, value in event.items():
        rendered = rendered.replace(f"{{{{ event.{name} }}}}", str(value))
    assert endpoint.post(rendered).status == 202
    (message,) = endpoint.taken
    assert (message.review_key, message.rating, message.verified) == (NAME, 5, True)
    assert (message.text_length, message.status) == (len(TEXT), "pending")
    told = read_review("candles", a_review_event(1), digester(endpoint.program))
    assert isinstance(told, ReviewMessage)
    assert (message.product_url, message.product_key) == (told.product_url, told.product_key)


def test_seventeen_retries_are_the_same_message(endpoint: Endpoint) -> None:
    """R139: nothing of a retry's name or content depends on when it comes, given the time of submission."""
    for _ in range(17):
        endpoint.post({**REVIEW, "submitted_at": START.isoformat()})
        endpoint.clock.advance(seconds=timedelta(hours=1).total_seconds())
    assert len({message.body for message in endpoint.queue.messages}) == 1


def test_logs_hold_ids_only(endpoint: Endpoint) -> None:
    with written() as out:
        endpoint.post({**REVIEW, "content": TEXT})
        endpoint.post({**REVIEW, "content": TEXT, "rating": "9"})
    for private in ("sarah", "klaviyo-demo.com", TEXT, endpoint.key.text):
        assert private not in out.text
    (line,) = out.lines("review of a flow taken in")
    assert (line["program"], line["flow_id"], line["review_key"]) == ("candles", "VeYaWr", NAME)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*REVIEW, "content", "text_length", "submitted_at", "kind"]) | st.text(), JSON))
def test_whatever_a_flow_sends_is_taken_or_refused(changes: dict[str, Any]) -> None:
    """Never a 5xx, and never anything queued that is not acknowledged."""
    endpoint = Endpoint()
    answer = endpoint.post({**REVIEW, **changes})
    assert answer.status in {202, 400, 422}
    assert len(endpoint.taken) == len(endpoint.queue.messages) == (answer.status == 202)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_whatever_bytes_come_are_no_5xx(body: str) -> None:
    endpoint = Endpoint()
    assert endpoint.post(body).status in {400, 413, 422}
    assert endpoint.queue.messages == []


@pytest.mark.parametrize(("name", "status"), [("review", 202), ("unrendered", 422), ("without_key", 401)])
def test_each_sample_is_answered_as_its_name_says(endpoint: Endpoint, name: str, status: int) -> None:
    event = json.loads((ROOT / f"events/review_flow/{name}.json").read_text())
    event["path"] = event["path"].replace("demo", "candles")
    if "api-key" in event["headers"]:
        event["headers"]["api-key"] = endpoint.key.text
    answer = answered(app.lambda_handler(event, Context()))  # type: ignore[arg-type]
    assert answer.status == status, answer.document
