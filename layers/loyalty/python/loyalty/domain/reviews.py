"""The review rule: what a submitted review earns, and why another does not (FEATURES I)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loyalty.domain.identity import Email


class SubmissionKind(StrEnum):
    """What Klaviyo Reviews told us of: stars with text, or stars alone."""

    REVIEW = "review"
    RATING = "rating"


class ReviewSource(StrEnum):
    """The review app that a review was written in (R188)."""

    KLAVIYO = "klaviyo"
    JUDGEME = "judgeme"


class ReviewWay(StrEnum):
    """How we heard of a review."""

    WEBHOOK = "webhook"
    FLOW = "flow"
    POLL = "poll"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class ReviewSubmission:
    """One review as the rule sees it, whichever way it came in.

    ``review_key`` is the same for everything Klaviyo reports of one submission (FACTS section 6); ``other_keys`` are
    further names of the same review. ``text_length`` counts code points of the trimmed text; the text itself never
    gets this far, only ``text_digest``, which is keyed by the program. ``rating`` is 1-5. ``updated_at`` is when the
    review app last changed the review, None where it does not say.
    """

    review_key: str
    kind: SubmissionKind
    event_id: str
    email: Email
    rating: int | None
    verified: bool
    status: str
    text_length: int
    has_media: bool
    product: str
    product_url: str
    submitted_at: datetime
    text_digest: str = ""
    source: ReviewSource = ReviewSource.KLAVIYO
    way: ReviewWay = ReviewWay.WEBHOOK
    other_keys: tuple[str, ...] = ()
    status_reason: str = ""
    updated_at: datetime | None = None
    product_key: str = ""


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """The earning rule ``Review a product (Klaviyo)`` (R119). Defaults follow Smile: every verified review earns."""

    enabled: bool = True
    points: int = 50
    verified_only: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class Award:
    """The review earns ``points``."""

    points: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The review earns nothing; ``code`` is stable, ``message`` is for the merchant."""

    code: str
    message: str


def judge(submission: ReviewSubmission, rule: ReviewRule, connected_at: datetime | None = None) -> Award | Refused:
    """Apply the rule to a review; the first condition that fails decides (R104, R106, R107, R112).

    ``connected_at`` is since when the program is connected to Klaviyo. Klaviyo tells times in whole seconds.
    """
    if not rule.enabled:
        return Refused("rule_disabled", "The review rule of this program is switched off.")
    if connected_at is not None and submission.submitted_at < connected_at.replace(microsecond=0):
        return Refused("before_connection", "The review was written before the program was connected to Klaviyo.")
    if rule.verified_only and not submission.verified:
        return Refused("not_verified", "Klaviyo does not mark this review as verified, and only verified ones earn.")
    return Award(rule.points)


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """What was decided on a review that earned nothing, kept for the merchant's question "why no points?"."""

    review_key: str
    outcome: str
    code: str
    message: str
    rule_version: int
    event_id: str
    member_id: str
    decided_at: datetime
