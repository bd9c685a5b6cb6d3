"""Review events read into messages: identity, leniency, and a reason for every event that is no usable review."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.contracts.klaviyo_reviews import read_review, review_key
from loyalty.contracts.review_facts import product_key
from loyalty.contracts.review_messages import ReviewMessage, UnusableMessage, parse_message
from loyalty.domain.reviews import SubmissionKind
from tests.deliveries import RATING, TEXT, a_review_event

HEX = "925e385b52fb405715f3616c337cc65c"


def digest_text(text: str) -> str:
    return f"digest of {len(text)}"


def read(event: Any) -> ReviewMessage:
    message = read_review("candles", event, digest_text)
    assert isinstance(message, ReviewMessage), message
    return message


def refused(event: Any) -> UnusableMessage:
    message = read_review("candles", event, digest_text)
    assert isinstance(message, UnusableMessage), message
    return message


@pytest.mark.parametrize(
    ("review_id", "event_property_id", "external_id", "expected"),
    [
        (HEX, f"review-{HEX}", "4L3cwQae2TX", HEX),
        (None, f"review-{HEX}", "4L3cwQae2TX", HEX),
        (None, f"rating-{HEX}", "4L3cwQae2TY", HEX),
        (f"rating-{HEX}", None, "4L3cwQae2TY", HEX),
        (HEX.upper(), None, None, HEX),
        (f" {HEX}\n", None, None, HEX),
        (None, f"REVIEW-{HEX.upper()}", None, HEX),
        ("", HEX, None, HEX),
        (None, "review-42", "4L3cwQae2TX", "review-42"),
        (None, f"review-{HEX}0", None, f"review-{HEX}0"),
        (None, f"question-{HEX}", None, f"question-{HEX}"),
        (None, None, "4L3cwQae2TX", "4L3cwQae2TX"),
        (17, None, "4L3cwQae2TX", "17"),
        (True, [], {"a": 1}, ""),
        (None, None, None, ""),
        ("   ", "", "", ""),
    ],
)
def test_the_key_of_a_review(review_id: Any, event_property_id: Any, external_id: Any, expected: str) -> None:
    """docs/klaviyo.md 6: ``review_id``, else ``$event_id`` without its prefix, else the event's id (R108)."""
    assert review_key(review_id, event_property_id, external_id) == expected


@pytest.mark.parametrize("odd", ["a b", "sarah@klaviyo-demo.com", "x" * 101, "ключ", "half a pair \ud800"])
def test_a_key_of_odd_characters_is_replaced_by_a_digest(odd: str) -> None:
    """Keys stand in logs and in the table, so an address that ends up in one must not be readable there."""
    key = review_key(odd, None, None)
    assert key.startswith("id-")
    assert key.isascii()
    assert odd not in key
    assert key == review_key(odd, "other", "other")


def test_a_review_and_the_rating_of_the_same_submission_share_their_key() -> None:
    """R108: both topics, with and without review_id."""
    review = a_review_event(7)
    rating = a_review_event(7, topic=RATING, review_id=None, **{"$event_id": f"rating-{7:032x}"})
    rating["external_id"] = "another"
    assert read(review).review_key == read(rating).review_key
    assert read(rating).kind is SubmissionKind.RATING
    assert read(rating).event_id == "another"


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({}, [f"{7:032x}"]),
        ({"$event_id": "opaque"}, [f"{7:032x}", "opaque"]),
        ({"review_id": None}, [f"{7:032x}", "evt00000007"]),
        ({"review_id": None, "$event_id": "opaque"}, ["opaque", "evt00000007"]),
        ({"review_id": " ", "$event_id": None}, ["evt00000007"]),
    ],
)
def test_a_review_without_its_id_is_also_known_by_its_event(said: dict[str, Any], names: list[str]) -> None:
    """R108: by which the listing joins it, whatever ``$event_id`` looks like (docs/klaviyo.md 6)."""
    message = read(a_review_event(7, **said))
    assert [message.review_key, *message.other_keys] == names


def test_a_documented_event_is_read_whole() -> None:
    message = read(a_review_event(3, review_email=" Sarah.Mason@Klaviyo-Demo.com "))
    assert message == ReviewMessage(
        program="candles",
        review_key=f"{3:032x}",
        event_id="evt00000003",
        kind=SubmissionKind.REVIEW,
        email="sarah.mason@klaviyo-demo.com",
        rating=5,
        verified=True,
        status="pending",
        text_length=len(TEXT),
        text_digest=f"digest of {len(TEXT)}",
        has_media=False,
        product="Candle",
        product_url="https://shop.klaviyo-demo.com/products/candle",
        submitted_at=datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC),
        product_key=product_key("https://shop.klaviyo-demo.com/products/candle", "", ""),
    )


def test_the_message_survives_the_queue_and_holds_no_word_of_the_review() -> None:
    message = read(a_review_event(review_title="A title", structured_product={"product_name": "Kérze 🕯"}))
    body = message.to_json()
    assert parse_message(body) == message
    assert body.isascii()
    for private in (TEXT, "A title", "Sarah M"):
        assert private not in body


@pytest.mark.parametrize(
    ("text", "length"), [("", 0), ("  \n ", 0), (" ä🕯 ", 2), ("a" * 20, 20), (None, 0), (["x"], 0), ("a\ud800", 2)]
)
def test_text_is_counted_in_code_points_after_trimming(text: Any, length: int) -> None:
    """What R109 counts."""
    message = read(a_review_event(review_content=text))
    assert message.text_length == length
    assert bool(message.text_digest) is bool(length)


def test_the_digest_ignores_case_and_spacing() -> None:
    """The same words again are the same text."""
    digests = {
        read_review("candles", a_review_event(review_content=text), lambda text: text).text_digest  # type: ignore[union-attr]
        for text in ("Great  candle", " great CANDLE\n")
    }
    assert digests == {"great candle"}


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ({"datetime": "2026-08-20T14:03:11+00:00"}, datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)),
        ({"datetime": "2026-08-20 14:03:11+00:00"}, datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)),
        ({"datetime": "2026-08-20T16:03:11.123456+02:00"}, datetime(2026, 8, 20, 14, 3, 11, 123000, UTC)),
        ({"datetime": "2026-08-20T14:03:11Z"}, datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)),
        ({"datetime": "2026-08-20 14:03:11"}, datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)),
        ({"datetime": "yesterday", "timestamp": 1787234591}, datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)),
        ({"timestamp": 1787234591.5}, datetime(2026, 8, 20, 14, 3, 11, 500000, UTC)),
    ],
)
def test_the_time_of_a_review(moment: dict[str, Any], expected: datetime) -> None:
    """Klaviyo's own sample has a space instead of the T."""
    event = a_review_event()
    attributes = event["payload"]["data"]["attributes"]
    del attributes["datetime"], attributes["timestamp"]
    attributes.update(moment)
    assert read(event).submitted_at == expected


@pytest.mark.parametrize(("value", "expected"), [(5, 5), (1.0, 1), ("4", 4), (" 3 ", 3), (None, None), ("", None)])
def test_ratings_that_are_understood(value: Any, expected: int | None) -> None:
    assert read(a_review_event(review_rating=value)).rating == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("true", True),
        ("True", True),
        (False, False),
        ("yes", False),
        (1, False),
        (None, False),
        ({}, False),
    ],
)
def test_only_a_clear_yes_verifies(value: Any, expected: bool) -> None:
    """R106: what Klaviyo does not clearly call verified is not."""
    assert read(a_review_event(review_verified=value)).verified is expected


@pytest.mark.parametrize(
    ("products", "expected"),
    [
        ({"structured_product": [{"product_name": "Candle"}]}, "Candle"),
        ({"structured_product": None, "product": {"title": "Candle"}}, "Candle"),
        ({"structured_product": {}, "product": {"title": "Candle"}}, "Candle"),
        ({"structured_product": {"product_name": "x" * 900}}, "x" * 200),
        ({"structured_product": "Candle"}, ""),
        ({"structured_product": []}, ""),
        ({"structured_product": None}, ""),
    ],
)
def test_the_product_in_its_several_shapes(products: dict[str, Any], expected: str) -> None:
    assert read(a_review_event(**products)).product == expected


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"review_email": None}, "missing_email"),
        ({"review_email": "  "}, "missing_email"),
        ({"review_email": 7}, "missing_email"),
        ({"review_email": "not an address"}, "invalid_email"),
        ({"review_email": "{{ person.email }}"}, "unrendered_template"),
        ({"review_rating": 6}, "invalid_rating"),
        ({"review_rating": 4.5}, "invalid_rating"),
        ({"review_rating": True}, "invalid_rating"),
        ({"review_rating": "five"}, "invalid_rating"),
        ({"review_rating": [5]}, "invalid_rating"),
    ],
)
def test_an_unusable_review_says_why_under_its_own_key(properties: dict[str, Any], code: str) -> None:
    message = refused(a_review_event(9, **properties))
    assert message.code == code
    assert message.review_key == f"{9:032x}"
    assert message.event_id == "evt00000009"
    assert message.reason
    assert parse_message(message.to_json()) == message


def test_an_event_without_any_time_is_unusable() -> None:
    event = a_review_event()
    event["payload"]["data"]["attributes"] |= {"datetime": "0001-01-01T00:00:00+23:59", "timestamp": 10**40}
    assert refused(event).code == "invalid_time"


def test_an_event_without_any_identity_is_unusable() -> None:
    event = a_review_event(review_id=None)
    del event["payload"]["data"]["attributes"]["event_properties"]["$event_id"]
    del event["external_id"], event["payload"]["data"]["id"]
    first, again = refused(event), refused(dict(event))
    assert first.code == "missing_review_id"
    assert first.review_key == again.review_key, "a repeat is recorded in the same place"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("text", "missing_topic"),
        (None, "missing_topic"),
        (7, "missing_topic"),
        ([], "missing_topic"),
        ({}, "missing_topic"),
        ({"topic": None}, "missing_topic"),
        ({"topic": "event:klaviyo.submitted_review"}, "malformed_event"),
        ({"topic": "event:klaviyo.submitted_review", "payload": []}, "malformed_event"),
        ({"topic": "event:klaviyo.submitted_review", "payload": {"data": {"attributes": {}}}}, "malformed_event"),
    ],
)
def test_an_event_of_another_shape_is_unusable(event: Any, code: str) -> None:
    message = refused(event)
    assert message.code == code
    assert message.review_key.startswith("event-")


def test_the_reason_of_an_unusable_event_quotes_nothing_from_it() -> None:
    event = a_review_event()
    event["payload"]["data"]["attributes"]["event_properties"] = "sarah.mason@klaviyo-demo.com"
    message = refused(event)
    assert message.code == "malformed_event"
    assert "event_properties" in message.reason
    assert "sarah" not in message.to_json()


@pytest.mark.parametrize("topic", ["event:klaviyo.ready_to_review", "event:klaviyo.opened_email", "event:api.custom"])
def test_other_topics_are_none_of_our_business(topic: str) -> None:
    assert read_review("candles", {"topic": topic, "payload": 7}, digest_text) is None
