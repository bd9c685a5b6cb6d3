"""Reviews as the rule sees them: submissions, what surrounds them, and what members were paid for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from loyalty.contracts.review_messages import ReviewMessage
from loyalty.domain.identity import Email
from loyalty.domain.review_checks import Award, Refused, Surroundings, judge, limited
from loyalty.domain.review_rule import ReviewRule
from loyalty.domain.review_tally import Counted, Tally
from loyalty.domain.reviews import ReviewSubmission, SubmissionKind

WRITTEN = datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)
KEY = f"{1:032x}"


def a_submission(**changes: Any) -> ReviewSubmission:
    """A verified review of five stars with a text of 39 characters."""
    submission = ReviewSubmission(
        review_key=KEY,
        kind=SubmissionKind.REVIEW,
        event_id="evt1",
        email=Email("sarah.mason@klaviyo-demo.com"),
        rating=5,
        verified=True,
        status="pending",
        text_length=39,
        has_media=False,
        product="Candle",
        product_url="https://shop.klaviyo-demo.com/products/candle",
        submitted_at=WRITTEN,
        text_digest="digest-of-the-text",
        product_key="candle",
    )
    return replace(submission, **changes)


def a_message(program: str = "candles", **changes: Any) -> ReviewMessage:
    """The same as a message of the reviews queue."""
    submission = a_submission(**changes)
    facts = {name: getattr(submission, name) for name in ReviewMessage.model_fields if hasattr(submission, name)}
    return ReviewMessage(program=program, **{**facts, "type": "review"})


def moment(text: str) -> datetime:
    """A time in UTC: ``2026-08-20T14:03:11``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def paid_for(*reviews: str) -> Tally:
    """What a member was paid for: times in UTC, with the product behind a space."""
    tally = Tally()
    for number, review in enumerate(reviews):
        at, _, product = review.partition(" ")
        mark = a_submission(product_key=product).product_mark if product else ""
        tally = tally.with_review(Counted(f"r{number}", moment(at), mark))
    return tally


def verdict(submission: ReviewSubmission, rule: ReviewRule, around: Surroundings) -> Award | Refused:
    """What the rule says of a published review: on itself first, then on its member."""
    judged = judge(submission, rule, around)
    return judged if isinstance(judged, Refused) else limited(submission, rule, around) or judged
