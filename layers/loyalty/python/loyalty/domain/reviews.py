"""Reviews as the rule sees them, whichever app they were written in and whichever way they came in (R99-R120)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loyalty.domain.identity import Email
from loyalty.domain.ledger.entry import digest


class SubmissionKind(StrEnum):
    """What Klaviyo Reviews told us of: stars with text, or stars alone."""

    REVIEW = "review"
    RATING = "rating"


class ReviewSource(StrEnum):
    """The review app that a review was written in (R188)."""

    KLAVIYO = "klaviyo"
    JUDGEME = "judgeme"

    @property
    def app(self) -> str:
        """The app's own name."""
        return {ReviewSource.KLAVIYO: "Klaviyo Reviews", ReviewSource.JUDGEME: "Judge.me"}[self]


class ReviewWay(StrEnum):
    """How we heard of a review."""

    WEBHOOK = "webhook"
    FLOW = "flow"
    POLL = "poll"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class ReviewSubmission:
    """One review as the rule sees it, whichever way it came in.

    ``review_key`` is the same for everything Klaviyo reports of one submission (docs/klaviyo.md 6); ``other_keys`` are
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

    @property
    def names(self) -> tuple[str, ...]:
        """Every name this message knows the review by, its own first."""
        return tuple(dict.fromkeys((self.review_key, *self.other_keys)))

    @property
    def product_mark(self) -> str:
        """A short digest that tells the product from others, by its key, its page or its title; empty without any."""
        product = self.product_key or self.product_url.partition("?")[0] or self.product
        return digest("product", product.encode())[:12] if product else ""

    @property
    def is_stars_only(self) -> bool:
        """Whether there is neither a text nor an image or video."""
        return not self.text_length and not self.has_media
