"""Klaviyo's review events (FACTS section 6), read into messages for the reviews queue.

Everything optional is read leniently; without an address, a time or an identity a review cannot be decided on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from loyalty.contracts.klaviyo_webhook import Attributes, parse_event, topic_of
from loyalty.contracts.review_messages import QueuedReview, ReviewMessage, UnusableMessage
from loyalty.domain.errors import Invalid
from loyalty.domain.identity import normalise_email
from loyalty.domain.ledger.entry import digest
from loyalty.domain.moments import whole_milliseconds
from loyalty.domain.reviews import SubmissionKind

TOPICS = {
    "event:klaviyo.submitted_review": SubmissionKind.REVIEW,
    "event:klaviyo.submitted_rating": SubmissionKind.RATING,
}
"""The topics that can earn; others that a webhook may carry, such as ``ready_to_review``, cannot."""

LONGEST_NAME = 200
LONGEST_URL = 500

_PREFIXED_ID = re.compile(r"(?:(?:review|rating)-)?([0-9a-f]{32})", re.IGNORECASE)
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def read_review(program: str, event: object, digest_text: Callable[[str], str]) -> QueuedReview | None:
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
    for candidate in (review_id, event_property_id, external_id):
        text = _id_text(candidate)
        if text:
            known = _PREFIXED_ID.fullmatch(text)
            return known[1].lower() if known else _plain(text)
    return ""


def _review(program: str, topic: str, raw: object, digest_text: Callable[[str], str]) -> ReviewMessage:
    if not topic:
        raise Invalid("The event names no topic.", code="missing_topic")
    event = parse_event(raw)
    said = event.properties
    key = review_key(said.get("review_id"), said.get("$event_id"), event.external_id or event.payload.data.id)
    if not key:
        raise Invalid(
            "The event carries no id by which the review could be told from others.", code="missing_review_id"
        )
    text = _text(said.get("review_content"))
    product = _product(said)
    return ReviewMessage(
        program=program,
        review_key=key,
        event_id=_plain(_id_text(event.external_id or event.payload.data.id)),
        kind=TOPICS[topic],
        email=_email(said.get("review_email")),
        rating=_rating(said.get("review_rating")),
        verified=_truth(said.get("review_verified")),
        status=_text(said.get("review_status"))[:LONGEST_NAME],
        text_length=len(text),
        text_digest=digest_text(" ".join(text.casefold().split())) if text else "",
        has_media=_truth(said.get("review_has_media")),
        product=_first(product, "product_name", "title", "name")[:LONGEST_NAME],
        product_url=_first(product, "url")[:LONGEST_URL],
        submitted_at=_submitted_at(event.payload.data.attributes),
    )


def _email(value: object) -> str:
    text = _text(value)
    if not text:
        raise Invalid("The event has no review_email, so nobody could be given points.", code="missing_email")
    return normalise_email(text)


def _rating(value: object) -> int | None:
    match value:
        case None | "":
            return None
        case bool():
            pass
        case int() | float() if value in (1, 2, 3, 4, 5):
            return int(value)
        case str() if value.strip() in {"1", "2", "3", "4", "5"}:
            return int(value)
    raise Invalid("review_rating is not a whole number from 1 to 5.", code="invalid_rating")


def _truth(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _submitted_at(attributes: Attributes) -> datetime:
    for moment in (_from_text(attributes.datetime), _from_epoch(attributes.timestamp)):
        if moment and _FIRST_YEAR <= moment.year < _LAST_YEAR:
            return whole_milliseconds(moment)
    raise Invalid("The event has neither a datetime nor a timestamp that could be read.", code="invalid_time")


def _from_text(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_epoch(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _product(said: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("structured_product", "product"):
        value = said.get(name)
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict) and value:
            return value
    return {}


def _first(facts: Mapping[str, Any], *names: str) -> str:
    return next((text for name in names if (text := _text(facts.get(name)))), "")


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    # JSON can escape half a surrogate pair, which is no character and cannot be stored.
    return value.encode("utf-8", "replace").decode().strip()


def _id_text(value: object) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _plain(text: str) -> str:
    return text if not text or _PLAIN_ID.fullmatch(text) else "id-" + digest("id", text.encode())[:27]


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
    return _plain(_id_text(_external_id(event)))


def _external_id(event: object) -> object:
    return _dig(event, "external_id") or _dig(event, "payload", "data", "id")


def _dig(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
