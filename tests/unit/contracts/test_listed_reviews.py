"""Klaviyo's listed reviews as messages: the same names, digests and products as the webhook's, and a present status."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.contracts.listed_reviews import changed_at, read_listed_review
from loyalty.contracts.review_facts import product_key
from loyalty.contracts.review_messages import ReviewMessage, UnusableMessage, parse_message
from loyalty.domain.reviews import ReviewWay, SubmissionKind
from tests.deliveries import TEXT, a_review_event

DOCS = os.environ.get("TALLYHOOK_KLAVIYO_DOCS")


def a_listed_review(number: int = 1, **attributes: Any) -> dict[str, Any]:
    said = {
        "email": "Sarah.Mason@klaviyo-demo.com",
        "status": {"value": "published"},
        "verified": True,
        "review_type": "review",
        "created": "2026-08-20T14:03:11+00:00",
        "updated": "2026-08-21T10:00:00+00:00",
        "images": [],
        "rating": 5,
        "title": "Lovely",
        "content": TEXT,
        "product": {
            "name": "Candle",
            "url": "https://shop.klaviyo-demo.com/products/candle?variant=1",
            "external_id": "123456789",
        },
    }
    return {
        "type": "review",
        "id": f"{number:032x}",
        "attributes": said | attributes,
        "relationships": {"events": {"data": [{"type": "event", "id": f"evt{number:08d}"}]}},
    }


def digest_text(text: str) -> str:
    return f"digest of {text}"


def read(review: Any) -> ReviewMessage:
    message = read_listed_review("candles", review, ReviewWay.POLL, digest_text)
    assert isinstance(message, ReviewMessage), message
    return message


def test_a_listed_review_and_its_event_are_the_same_review() -> None:
    """Same key, address, text digest and product, so that the rule sees one review (R108)."""
    listed = read(a_listed_review(7))
    told = read_review("candles", a_review_event(7), digest_text)
    assert isinstance(told, ReviewMessage)
    same = ("review_key", "email", "kind", "rating", "verified", "text_length", "text_digest", "product_key", "product")
    assert [getattr(listed, name) for name in same] == [getattr(told, name) for name in same]
    assert (listed.submitted_at, listed.other_keys) == (told.submitted_at, ("evt00000007",))
    assert listed.updated_at == datetime(2026, 8, 21, 10, tzinfo=UTC)
    assert parse_message(listed.to_json()) == listed


def test_an_event_that_names_no_review_is_known_by_its_own_id() -> None:
    """docs/klaviyo.md 6: ``review_id`` is not documented. The listing tells which review an event belongs to."""
    nameless: dict[str, Any] = {"review_id": None, "$event_id": None}
    event = a_review_event(7, **nameless)
    told = read_review("candles", event, digest_text)
    assert told
    assert told.review_key in read(a_listed_review(7)).other_keys


def test_a_rejection_has_its_reason() -> None:
    status = {"value": "rejected", "rejection_reason": {"reason": "fake", "status_explanation": "Bot"}}
    message = read(a_listed_review(status=status))
    assert (message.status, message.status_reason) == ("rejected", "fake")


@pytest.mark.parametrize(
    ("review_type", "kind"),
    [("review", SubmissionKind.REVIEW), ("store", SubmissionKind.REVIEW), ("rating", SubmissionKind.RATING)],
)
def test_the_types_that_can_earn(review_type: str, kind: SubmissionKind) -> None:
    assert read(a_listed_review(review_type=review_type)).kind is kind


@pytest.mark.parametrize("review_type", ["question", "", None, 5, "something new"])
def test_other_types_are_passed_over(review_type: Any) -> None:
    review = a_listed_review(review_type=review_type)
    assert read_listed_review("candles", review, ReviewWay.POLL, digest_text) is None


@pytest.mark.parametrize(
    ("attributes", "code"),
    [({"email": None}, "missing_email"), ({"created": "soon"}, "invalid_time"), ({"rating": 9}, "invalid_rating")],
)
def test_what_cannot_be_decided_on_says_why(attributes: dict[str, Any], code: str) -> None:
    message = read_listed_review("candles", a_listed_review(3, **attributes), ReviewWay.POLL, digest_text)
    assert isinstance(message, UnusableMessage)
    assert (message.code, message.review_key) == (code, f"{3:032x}")


@pytest.mark.skipif(not DOCS, reason="TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's examples")
def test_klaviyos_example_is_read() -> None:
    document = json.loads((Path(str(DOCS)) / "examples/get_review.response.json").read_text())
    message = read_listed_review("candles", document["data"], ReviewWay.POLL, digest_text)
    assert message
    assert message.review_key == document["data"]["id"]
    assert changed_at(document["data"])


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.klaviyo-demo.com/products/candle",
        "http://shop.klaviyo-demo.com/products/candle/",
        "https://klaviyo-demo.myshopify.com/collections/summer/products/Candle?variant=1#reviews",
        "/products/candle",
    ],
)
def test_a_product_is_the_same_on_every_host_and_in_every_collection(url: str) -> None:
    """R111: limits for each product hold whichever way a review comes in."""
    assert product_key(url, "123", "Candle") == product_key("https://shop.klaviyo-demo.com/products/candle", "", "")


def test_without_a_url_a_product_is_its_id_or_else_its_title() -> None:
    assert product_key("", "1", "Candle") == product_key("http://[", "1", "Another")
    assert product_key("", "1", "Candle") != product_key("", "2", "Candle")
    assert product_key("", "", "Candle") == product_key("", "", "CANDLE")
    assert product_key("", "", "") == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(a_listed_review()["attributes"], JSON)), JSON, JSON)
def test_whatever_is_listed_gives_a_message_or_none(attributes: dict[str, Any], name: Any, related: Any) -> None:
    """Klaviyo may send what its document does not say; one odd review must not stop the others."""
    review = {"id": name, "attributes": {"review_type": "review", **attributes}, "relationships": related}
    changed_at(review)
    message = read_listed_review("candles", review, ReviewWay.POLL, digest_text)
    if message:
        assert parse_message(message.to_json()) == message
