"""Reviews as Klaviyo's Reviews API lists them (``get_reviews``, docs/klaviyo.md 6), read into messages for the queue.

Unlike an event, a listed review tells its present status and when it last changed, so a moderation is read here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from loyalty.contracts.klaviyo_reviews import review_names
from loyalty.contracts.review_facts import (
    LONGEST_NAME,
    LONGEST_URL,
    DigestText,
    email_of,
    id_text,
    moment_of,
    product_key,
    rating_of,
    text_digest,
    text_of,
)
from loyalty.contracts.review_messages import QueuedReview, ReviewMessage, UnusableMessage
from loyalty.domain.errors import Invalid
from loyalty.domain.reviews import ReviewWay, SubmissionKind

KINDS = {"review": SubmissionKind.REVIEW, "store": SubmissionKind.REVIEW, "rating": SubmissionKind.RATING}
"""The types that can earn; a question cannot."""

MOST_EVENTS = 5
"""Events of one review that are taken as its further names; Klaviyo has one for the rating and one for the review."""


def read_listed_review(
    program: str, review: Mapping[str, Any], way: ReviewWay, digest_text: DigestText
) -> QueuedReview | None:
    """Read one resource of a listing; None when its type cannot earn, or it is nameless, which Klaviyo's are not.

    ``digest_text`` makes the digest of a review's text; the text itself goes nowhere else.
    """
    said = _object(review.get("attributes"))
    kind = KINDS.get(text_of(said.get("review_type")))
    names = review_names(review.get("id"), *[event.get("id") for event in _events(review)[:MOST_EVENTS]])
    if kind is None or not names:
        return None
    try:
        return _message(program, kind, names, said, way, digest_text)
    except Invalid as problem:
        return UnusableMessage(
            program=program, review_key=names[0], event_id="", code=problem.code, reason=problem.message
        )


def changed_at(review: Mapping[str, Any]) -> datetime | None:
    """When a listed review last changed, if it says so."""
    try:
        return moment_of(_object(review.get("attributes")).get("updated"))
    except Invalid:
        return None


def _message(
    program: str,
    kind: SubmissionKind,
    names: list[str],
    said: Mapping[str, Any],
    way: ReviewWay,
    digest_text: DigestText,
) -> ReviewMessage:
    text = text_of(said.get("content"))
    status, product = _object(said.get("status")), _object(said.get("product"))
    title, url = text_of(product.get("name")), text_of(product.get("url"))
    return ReviewMessage(
        program=program,
        review_key=names[0],
        event_id="",
        kind=kind,
        email=email_of(said.get("email"), "email"),
        rating=rating_of(said.get("rating"), "rating"),
        verified=said.get("verified") is True,
        status=text_of(status.get("value"))[:LONGEST_NAME].lower(),
        text_length=len(text),
        text_digest=text_digest(text, digest_text),
        has_media=bool(said.get("images")),
        product=title[:LONGEST_NAME],
        product_url=url[:LONGEST_URL],
        submitted_at=moment_of(said.get("created")),
        way=way,
        other_keys=tuple(names[1:]),
        status_reason=text_of(_object(status.get("rejection_reason")).get("reason"))[:LONGEST_NAME],
        updated_at=moment_of(said.get("updated"), said.get("created")),
        product_key=product_key(url, id_text(product.get("external_id")), title),
    )


def _events(review: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    events = _object(_object(review.get("relationships")).get("events")).get("data")
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
