"""Messages on the reviews queue: one review to decide on, or one event that is no usable review.

The text of a review is not among it: its length and a digest are all that rules need. The reviewer's address is.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from loyalty.domain.errors import Invalid
from loyalty.domain.identity import Email
from loyalty.domain.reviews import ReviewSource, ReviewSubmission, ReviewWay, SubmissionKind


class _Message(BaseModel):
    # What a newer sender adds is no reason to refuse a message during a deployment.
    model_config = ConfigDict(frozen=True, extra="ignore")

    program: str
    review_key: str
    event_id: str

    def to_json(self) -> str:
        """The message's body. ASCII only, because SQS refuses some characters that JSON allows."""
        text = self.model_dump_json()
        return text if text.isascii() else json.dumps(self.model_dump(mode="json"), separators=(",", ":"))


class ReviewMessage(_Message):
    """A review to decide on, or what became of one: a moderation is the same review again with a newer status.

    ``review_key`` is the name its sender knows it by, ``other_keys`` are further names of the same review.
    ``text_digest`` is keyed by the program; equal digests are equal texts. ``updated_at`` is when the review app last
    changed the review, None where it does not say. ``product_key`` tells products apart and stays the same.
    """

    type: Literal["review"] = "review"
    kind: SubmissionKind
    email: str = Field(repr=False)
    rating: int | None
    verified: bool
    status: str
    text_length: int
    text_digest: str
    has_media: bool
    product: str
    product_url: str
    submitted_at: AwareDatetime
    source: ReviewSource = ReviewSource.KLAVIYO
    way: ReviewWay = ReviewWay.WEBHOOK
    other_keys: tuple[str, ...] = ()
    status_reason: str = ""
    updated_at: AwareDatetime | None = None
    product_key: str = ""

    @property
    def submission(self) -> ReviewSubmission:
        """The review as the rule sees it."""
        return ReviewSubmission(
            review_key=self.review_key,
            kind=self.kind,
            event_id=self.event_id,
            email=Email(self.email),
            rating=self.rating,
            verified=self.verified,
            status=self.status,
            text_length=self.text_length,
            has_media=self.has_media,
            product=self.product,
            product_url=self.product_url,
            submitted_at=self.submitted_at,
            text_digest=self.text_digest,
            source=self.source,
            way=self.way,
            other_keys=self.other_keys,
            status_reason=self.status_reason,
            updated_at=self.updated_at,
            product_key=self.product_key,
        )


class UnusableMessage(_Message):
    """An event of a review topic that cannot be decided on, with a stable ``code`` and words for the merchant."""

    type: Literal["unusable"] = "unusable"
    code: str
    reason: str


QueuedReview = ReviewMessage | UnusableMessage
_ANY: TypeAdapter[QueuedReview] = TypeAdapter(Annotated[QueuedReview, Field(discriminator="type")])


def parse_message(body: str) -> QueuedReview:
    """Read a message back.

    Raises:
        Invalid: ``malformed_message``; the message names the place, never a value.
    """
    try:
        return _ANY.validate_json(body)
    except ValidationError as error:
        places = sorted({".".join(str(step) for step in problem["loc"]) for problem in error.errors()})
        raise Invalid("This is no message of the reviews queue.", code="malformed_message", places=places) from None
