"""Judge.me's webhooks: how they are signed, and their reviews read into messages for the reviews queue (R188).

Source: Judge.me's help, "Verifying Webhooks from Judge.me", and its API reference (``review/created`` and its kin; the
body is the review as ``GET /reviews/{id}`` answers it). The signature is the hex HMAC-SHA256 of the raw body, keyed
with the OAuth app's secret or the shop's private API token, whichever the webhook was made with. No time is signed, so
a delivery that is repeated has to change nothing, as everywhere here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from loyalty.contracts.klaviyo_signature import same, signature_of
from loyalty.contracts.review_facts import (
    LONGEST_NAME,
    LONGEST_URL,
    canonical_name,
    digester,
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
from loyalty.domain.program import Program
from loyalty.domain.reviews import ReviewSource, SubmissionKind

SIGNATURES = ("judgeme-hmac-sha256", "x-judgeme-hmac-sha256")
"""The header with the signature, by lower-cased name; some servers in between put the X in front."""

WEBHOOK = "judgeme"
"""What stands for the id of a webhook, which Judge.me does not tell."""

VERIFIED = frozenset({"buyer", "confirmed-buyer", "verified-buyer", "verified-purchase", "verified_purchase"})
"""What Judge.me says of a reviewer whose purchase it knows of; ``reviewer`` and others only have an address."""


@dataclass(frozen=True, slots=True)
class JudgemeDelivery:
    """One delivery as it came in: to which program, and what its header claims."""

    slug: str
    signature: str = field(repr=False)
    body: bytes = field(repr=False)
    webhook_id: str = WEBHOOK

    @classmethod
    def of(cls, slug: str, headers: Mapping[str, str], body: bytes) -> Self:
        """Read the headers, given by lower-cased name; a missing one is an empty claim."""
        return cls(slug, next((headers[name] for name in SIGNATURES if headers.get(name)), ""), body)

    def is_signed_with(self, secrets: Sequence[str]) -> bool:
        """Whether one of the secrets made the signature. All are tried, so time tells nothing about which one."""
        signed = False
        for secret in secrets:
            signed |= same(signature_of(secret, self.body, ""), self.signature.lower())
        return signed

    def read(self, program: Program) -> list[QueuedReview | None]:
        """The review of an authentic delivery; None for what cannot earn.

        Raises:
            Invalid: ``malformed_json`` or ``malformed_delivery``.
        """
        try:
            document = json.loads(self.body, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            raise Invalid("The body is not JSON.", code="malformed_json") from None
        review = document.get("review") if isinstance(document, dict) else None
        if not isinstance(review, dict):
            raise Invalid("The body is not a webhook of Judge.me; look at review.", code="malformed_delivery")
        return [_read(program, review)]


def judgeme_key(review_id: object) -> str:
    """The name of a review of Judge.me, whose ids are numbers that others may use as well; empty without an id."""
    name = canonical_name(review_id)
    return f"judgeme-{name}" if name else ""


def _read(program: Program, review: Mapping[str, Any]) -> QueuedReview:
    key = judgeme_key(review.get("id"))
    try:
        return _message(program, key, review)
    except Invalid as problem:
        return UnusableMessage(
            program=program.slug,
            review_key=key or "judgeme-without-id",
            event_id="",
            code=problem.code,
            reason=problem.message,
        )


def _message(program: Program, key: str, review: Mapping[str, Any]) -> ReviewMessage:
    if not key:
        raise Invalid("The review has no id by which it could be told from others.", code="missing_review_id")
    text, title = text_of(review.get("body")), text_of(review.get("product_title"))
    handle = text_of(review.get("product_handle"))
    return ReviewMessage(
        program=program.slug,
        review_key=key,
        event_id="",
        kind=SubmissionKind.REVIEW,
        email=email_of(_object(review.get("reviewer")).get("email"), "reviewer.email"),
        rating=rating_of(review.get("rating"), "rating"),
        verified=text_of(review.get("verified")).lower() in VERIFIED,
        status=_status(review),
        text_length=len(text),
        text_digest=text_digest(text, digester(program)),
        has_media=bool(review.get("pictures") or review.get("has_published_videos")),
        product=title[:LONGEST_NAME],
        product_url=(f"/products/{handle}" if handle else "")[:LONGEST_URL],
        submitted_at=moment_of(review.get("created_at")),
        source=ReviewSource.JUDGEME,
        updated_at=moment_of(review.get("updated_at"), review.get("created_at")),
        product_key=product_key(
            f"/products/{handle}" if handle else "", id_text(review.get("product_external_id")), title
        ),
    )


def _status(review: Mapping[str, Any]) -> str:
    """A merchant's decision in the words of Klaviyo's statuses."""
    match text_of(review.get("curated")).lower(), review.get("hidden"):
        case "spam", _:
            return "rejected"
        case _, True:
            return "unpublished"
        case "ok", _:
            return "published"
    return "pending"


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
