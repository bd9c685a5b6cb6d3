"""What waits in queues for up to a fortnight: ids and numbers, and of people nothing but a reviewer's address."""

from __future__ import annotations

from inspect import getmembers, isclass
from typing import Any

from pydantic import BaseModel

from loyalty.contracts import deliveries, review_messages, sweeps
from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.contracts.review_messages import ReviewMessage, UnusableMessage
from tests.deliveries import a_review_event
from tests.secrecy import ADDRESSES, Secrecy

HARMLESS = {
    "OwedEvent": {"program", "member_id", "seq"},
    "OwedProfiles": {"program"},
    "SyncTask": {"program", "job"},
    "ReplayStep": {"program", "replay"},
    "EventsMessage": {"root"},
    "SweepShard": {"shard", "until", "begun", "after"},
    "ProgramToSettle": {"program", "after"},
}
"""Fields of messages that are about nobody: ids tell no address."""

OF_REVIEWS = {"ReviewMessage", "UnusableMessage"}
WORDS: dict[str, Any] = {
    "review_title": "Smells like the sea",
    "review_content": "I would buy this candle again, said Sarah.",
}


def test_every_message_is_known_field_by_field() -> None:
    """Whoever adds one decides here whether it says something of a person (docs/threat-model.md)."""
    found = {
        name: set(model.model_fields)
        for module in (deliveries, sweeps, review_messages)
        for name, model in getmembers(module, isclass)
        if issubclass(model, BaseModel) and model.__module__ == module.__name__ and not name.startswith("_")
    }
    assert {name: fields for name, fields in found.items() if name not in OF_REVIEWS} == HARMLESS
    assert set(found) - set(HARMLESS) == OF_REVIEWS


def test_a_reviews_message_holds_its_writers_address_and_none_of_the_words() -> None:
    said = Secrecy()
    said.keep_words("a review's text", *WORDS.values())
    message = read_review("candles", a_review_event(**WORDS), lambda _: "digest")
    assert isinstance(message, ReviewMessage)
    body = message.to_json()
    assert (said.in_text(body, addresses=False), ADDRESSES.findall(body)) == ([], [message.email])


def test_a_message_of_an_unusable_review_holds_not_even_that() -> None:
    said = Secrecy()
    said.keep_words("a review's text", *WORDS.values())
    for wrong in ({"review_email": "sarah.mason@klaviyo-demo"}, {"review_rating": "sarah.mason@klaviyo-demo.com"}):
        message = read_review("candles", a_review_event(**(WORDS | wrong)), lambda _: "digest")
        assert isinstance(message, UnusableMessage)
        assert (said.in_text(message.to_json()), "sarah" in message.to_json()) == ([], False)
