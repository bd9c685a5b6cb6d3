"""Laws of review intake: whatever is signed is answered, whatever is not leaves no trace, and order never matters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.review_webhook import app as review_webhook
from loyalty.contracts.klaviyo_reviews import review_key
from loyalty.contracts.klaviyo_signature import SignedDelivery, signature_of
from loyalty.contracts.review_messages import ReviewMessage, parse_message
from loyalty.services.award_review import AwardReview
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.posting import Ledger
from loyalty.services.recent_programs import RecentPrograms
from tests.builders import SARAH
from tests.deliveries import (
    RATING,
    REVIEW,
    SECRET,
    TIMESTAMP,
    LambdaContext,
    a_body,
    a_listening_program,
    a_proxy_event,
    a_review_event,
    signed,
)
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_oauth import MemoryNotes
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue
from tests.fakes.memory_vault import MemoryVault

# Halves of surrogate pairs too: JSON can escape them, and nothing can store them.
texts = st.text(st.characters(exclude_categories=()), max_size=30)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just("sarah.mason@klaviyo-demo.com"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
ids = st.none() | texts | st.integers() | st.booleans() | st.just([1]) | st.just(f"review-{7:032x}")
NAMES = (
    "review_id",
    "review_rating",
    "review_content",
    "review_email",
    "review_status",
    "review_verified",
    "review_has_media",
    "structured_product",
    "product",
    "$event_id",
)
almost_reviews = st.builds(
    lambda number, topic, said: a_review_event(number, topic=topic, **said),
    st.integers(0, 99),
    st.sampled_from([REVIEW, RATING, "event:klaviyo.ready_to_review"]),
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=3),
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A review event with one thing in it replaced or removed."""
    event = draw(almost_reviews)
    place = draw(st.sampled_from([(), ("payload",), ("payload", "data"), ("payload", "data", "attributes")]))
    target = event
    for name in place:
        target = target[name]
    name = draw(st.sampled_from(sorted(target)))
    if draw(st.booleans()):
        del target[name]
    else:
        target[name] = draw(anything)
    return event


events = st.one_of(almost_reviews, damaged(), anything)
queue = MemoryQueue()


@pytest.fixture(autouse=True, scope="module")
def intake() -> Iterator[None]:
    """Put the function before one program, with memory instead of AWS."""
    vault = MemoryVault()
    programs = RecentPrograms(MemoryPrograms(a_listening_program(vault)), vault, FixedClock())
    review_webhook.intake.replace(IntakeReviews(programs, queue, MemoryNotes(), FixedClock()))
    yield
    review_webhook.intake.replace(None)


def deliver(body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any], list[Any]]:
    """Deliver to the function; status, answer, and what was queued."""
    queue.messages.clear()
    event = a_proxy_event("candles", headers, body, as_base64=True)
    answer = review_webhook.lambda_handler(event, LambdaContext())  # type: ignore[arg-type]
    return answer["statusCode"], json.loads(answer["body"]), [parse_message(sent.body) for sent in queue.messages]


@given(st.binary(max_size=200) | anything.map(lambda document: json.dumps(document).encode()))
def test_any_signed_body_is_taken_or_refused_but_never_breaks_anything(body: bytes) -> None:
    """Bytes and JSON of any shape: a clear 400, or 202."""
    status, answer, queued = deliver(body, signed(body))
    assert status in {202, 400, 401}
    if status != 202:
        assert answer["code"] in {"malformed_json", "malformed_delivery", "webhook_mismatch"}
        assert queued == []


@given(st.lists(events, max_size=5))
def test_every_event_of_a_signed_delivery_is_accounted_for(data: list[Any]) -> None:
    """Queued, unusable or ignored: no event is lost, and none spoils another."""
    body = a_body(*data)
    status, answer, queued = deliver(body, signed(body))
    assert status == 202
    assert sum(answer.values()) == len(data)
    assert len(queued) == answer["queued"] + answer["unusable"]
    for message in queued:
        assert message.program == "candles"
        assert message.review_key.isascii()
        assert 0 < len(message.review_key) <= 100
        if isinstance(message, ReviewMessage):
            assert message.rating in {None, 1, 2, 3, 4, 5}
            assert message.submission.email == message.email


@given(
    st.lists(events, max_size=2).map(lambda data: a_body(*data)) | st.binary(max_size=100),
    st.fixed_dictionaries(
        {},
        optional={
            "klaviyo-signature": st.text() | st.just("0" * 64),
            "klaviyo-timestamp": st.text() | st.just(TIMESTAMP),
            "klaviyo-webhook-id": st.text(),
        },
    ),
)
def test_nothing_unsigned_has_an_effect(body: bytes, changed: dict[str, str]) -> None:
    headers = signed(body, secret="not-the-programs-secret") | changed
    status, problem, queued = deliver(body, headers)
    assert status == 401
    assert problem["code"] == "invalid_signature"
    assert queued == []


@given(st.binary(max_size=64), st.integers(0, 10_000), st.text(min_size=16, max_size=40))
def test_changing_one_byte_breaks_the_signature(body: bytes, place: int, secret: str) -> None:
    message = bytearray(body + TIMESTAMP.encode())
    signature = signature_of(secret, body, TIMESTAMP)
    message[place % len(message)] ^= 1
    changed, stamp = bytes(message[: len(body)]), message[len(body) :].decode()
    assert SignedDelivery("candles", "wh", TIMESTAMP, signature, body).is_signed_with([secret])
    assert not SignedDelivery("candles", "wh", stamp, signature, changed).is_signed_with([secret])


@given(st.permutations(["klaviyo-signature", "klaviyo-timestamp", "klaviyo-webhook-id"]), st.data())
def test_headers_count_in_any_case_and_order(names: list[str], data: st.DataObject) -> None:
    body = a_body(a_review_event())
    headers = signed(body)
    spelled = {
        "".join(data.draw(st.sampled_from([letter.upper(), letter])) for letter in name): headers[name]
        for name in names
    }
    status, answer, _ = deliver(body, spelled)
    assert (status, answer["queued"]) == (202, 1)


@given(ids, ids, ids)
def test_a_key_never_depends_on_anything_but_the_first_id_there_is(first: Any, second: Any, third: Any) -> None:
    key = review_key(first, second, third)
    assert key == review_key(first, second, third)
    if review_key(first, None, None):
        assert key == review_key(first, None, None)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from([REVIEW, RATING]), st.booleans()), max_size=12),
    st.randoms(use_true_random=False),
)
def test_repeats_in_any_order_end_in_the_same_balance(told: list[tuple[int, str, bool]], random: Any) -> None:
    """R108: a review pays if any of what Klaviyo says of it is verified, and once."""
    vault = MemoryVault()
    program = a_listening_program(vault)
    store = MemoryLedger()
    ledger = Ledger(store, FixedClock(), SeededRandomness())
    award = AwardReview(MemoryPrograms(program), ledger, MemoryDecisions(), FixedClock())
    repeated = [*told, *told]
    random.shuffle(repeated)
    body = a_body(*[a_review_event(number, topic=topic, review_verified=ok) for number, topic, ok in repeated])
    queue.messages.clear()
    deliver(body, signed(body, secret=SECRET))
    for message in list(queue.messages):
        award(message.body)
    member = ledger.find(program, SARAH)
    paid = {number for number, _, ok in told if ok}
    assert (member.amounts.available if member else 0) == 50 * len(paid)
    assert len(store.written) == len(paid)
