"""Klaviyo's review events (docs/klaviyo.md 6), read into messages for the reviews queue.

Everything optional is read leniently; without an address, a time or an identity a review cannot be decided on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from loyalty.contracts.klaviyo_webhook import parse_event, topic_of
from loyalty.contracts.review_facts import (
    LONGEST_NAME,
    LONGEST_URL,
    DigestText,
    canonical_name,
    email_of,
    id_text,
    moment_of,
    plain_id,
    product_key,
    rating_of,
    text_digest,
    text_of,
    truth_of,
)
from loyalty.contracts.review_messages import QueuedReview, ReviewMessage, UnusableMessage
from loyalty.domain.errors import Invalid
from loyalty.domain.ledger.entry import digest
from loyalty.domain.reviews import SubmissionKind

TOPICS = {
    "event:klaviyo.submitted_review": SubmissionKind.REVIEW,
    "event:klaviyo.submitted_rating": SubmissionKind.RATING,
}
"""The topics that can earn; others that a webhook may carry, such as ``ready_to_review``, cannot."""


def read_review(program: str, event: object, digest_text: DigestText) -> QueuedReview | None:
    """Read one event of a delivery; None when its topic cannot earn.

    ``digest_text`` makes the digest of a review's text; the text itself goes nowhere else.
    """
    topic = topic_of(event)
    if topic and topic not in TOPICS:
        return None
    try:
        return _review(program, topic, event, digest_text)
    except Invalid as problem:
        return UnusableMessage(
            program=program,
            review_key=_key_of(event) or _key_of_content(event),
            event_id=_event_id(event),
            code=problem.code,
            reason=problem.message,
        )


def review_key(review_id: object, event_property_id: object, external_id: object) -> str:
    """The identity that everything Klaviyo reports of one submission shares, so that it earns once (R108).

    That is ``review_id``; where Klaviyo leaves it out ``$event_id``, which is the review id behind a prefix that
    tells review and rating apart; else the event's own id. Empty when all are missing. Anything but plain characters
    is replaced by a digest, for the key appears in logs.
    """
    return next(iter(review_names(review_id, event_property_id, external_id)), "")


def review_names(*ids: object) -> list[str]:
    """Every name that these ids give a review, each once, the first that is there before the others."""
    return list(dict.fromkeys(name for name in map(canonical_name, ids) if name))


def _review(program: str, topic: str, raw: object, digest_text: DigestText) -> ReviewMessage:
    if not topic:
        raise Invalid("The event names no topic.", code="missing_topic")
    event = parse_event(raw)
    said, attributes = event.properties, event.payload.data.attributes
    event_id = event.external_id or event.payload.data.id
    # Without review_id nobody promises that the listing knows the review by $event_id, but it names the event. With it
    # the event's id is no name, for every name costs the rule a look.
    ids = [said.get("review_id"), said.get("$event_id")]
    names = review_names(*ids) if canonical_name(ids[0]) else review_names(*ids, event_id)
    if not names:
        raise Invalid(
            "The event carries no id by which the review could be told from others.", code="missing_review_id"
        )
    text = text_of(said.get("review_content"))
    product = _product(said)
    title, url = _first(product, "product_name", "title", "name"), _first(product, "url")
    return ReviewMessage(
        program=program,
        review_key=names[0],
        event_id=plain_id(id_text(event_id)),
        kind=TOPICS[topic],
        email=email_of(said.get("review_email"), "review_email"),
        rating=rating_of(said.get("review_rating"), "review_rating"),
        verified=truth_of(said.get("review_verified")),
        status=text_of(said.get("review_status"))[:LONGEST_NAME].lower(),
        text_length=len(text),
        text_digest=text_digest(text, digest_text),
        has_media=truth_of(said.get("review_has_media")),
        product=title[:LONGEST_NAME],
        product_url=url[:LONGEST_URL],
        submitted_at=moment_of(attributes.datetime, attributes.timestamp),
        other_keys=tuple(names[1:]),
        product_key=product_key(url, id_text(product.get("id")), title),
    )


def _product(said: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("structured_product", "product"):
        value = said.get(name)
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict) and value:
            return value
    return {}


def _first(facts: Mapping[str, Any], *names: str) -> str:
    return next((text for name in names if (text := text_of(facts.get(name)))), "")


def _key_of(event: object) -> str:
    said = _dig(event, "payload", "data", "attributes", "event_properties")
    said = said if isinstance(said, dict) else {}
    return review_key(said.get("review_id"), said.get("$event_id"), _external_id(event))


def _key_of_content(event: object) -> str:
    try:
        content = json.dumps(event, sort_keys=True)
    except RecursionError:
        content = "nested too deeply"
    return "event-" + digest("event", content.encode())[:22]


def _event_id(event: object) -> str:
    return plain_id(id_text(_external_id(event)))


def _external_id(event: object) -> object:
    return _dig(event, "external_id") or _dig(event, "payload", "data", "id")


def _dig(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
