"""Messages of the reviews queue: read strictly where it matters, and open for newer senders."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.contracts.review_messages import ReviewMessage, parse_message
from loyalty.domain.errors import Invalid
from tests.deliveries import a_review_event


def a_message() -> dict[str, Any]:
    message = read_review("candles", a_review_event(), lambda _: "digest")
    assert isinstance(message, ReviewMessage)
    return dict(json.loads(message.to_json()))


def test_a_field_that_a_newer_sender_adds_is_no_obstacle() -> None:
    """While a deployment runs, a new webhook function talks to an old worker."""
    assert isinstance(parse_message(json.dumps(a_message() | {"sentiment": "good"})), ReviewMessage)


def test_the_address_does_not_show_in_the_text_form_of_a_message() -> None:
    message = parse_message(json.dumps(a_message()))
    assert "klaviyo-demo.com" not in repr(message).replace("shop.klaviyo-demo.com", "")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"type": "other"}',
        json.dumps({name: value for name, value in a_message().items() if name != "email"}),
        json.dumps(a_message() | {"submitted_at": "2026-08-20T14:03:11"}),
        json.dumps(a_message() | {"email": ["sarah.mason@klaviyo-demo.com"]}),
    ],
)
def test_anything_else_is_refused_without_quoting_it(body: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse_message(body)
    assert raised.value.code == "malformed_message"
    assert "sarah" not in str(raised.value) + repr(raised.value.facts)


def test_a_message_of_the_release_before_reads_as_what_it_was_then() -> None:
    """One that waited in the queue during a deployment: a review that Klaviyo's webhook told of."""
    added = {"source", "way", "other_keys", "status_reason", "updated_at", "product_key"}
    message = parse_message(json.dumps({name: value for name, value in a_message().items() if name not in added}))
    assert isinstance(message, ReviewMessage)
    submission = message.submission
    assert (submission.source, submission.way, submission.names) == ("klaviyo", "webhook", (message.review_key,))
    assert (submission.status_reason, submission.updated_at, submission.product_key) == ("", None, "")
    assert submission.product_mark
