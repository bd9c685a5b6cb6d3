"""A review as a Klaviyo flow's webhook action sends it, for accounts without system webhooks (R14, R136).

The values are what Klaviyo made of template tags, so numbers and truths come as words and what an event lacks comes as
nothing. A tag that Klaviyo left unrendered is refused with a hint: nothing would be right about such a review.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from loyalty.contracts.adjustments import is_template
from loyalty.contracts.forms import EmailAddress, Form, Refused, Text, Told, filled_in
from loyalty.contracts.klaviyo_reviews import review_names
from loyalty.contracts.review_facts import (
    LONGEST_NAME,
    LONGEST_URL,
    DigestText,
    moment_of,
    plain_id,
    product_key,
    rating_of,
    text_digest,
    text_of,
    truth_of,
)
from loyalty.contracts.review_messages import ReviewMessage
from loyalty.contracts.strict_json import read_json
from loyalty.domain.errors import Invalid, Rejected
from loyalty.domain.reviews import ReviewWay, SubmissionKind

MOST_BYTES = 64 * 1024
LONGEST_TEXT = 20_000


def _rendered(value: Any) -> Any:
    if isinstance(value, str) and is_template(value):
        raise Refused("unrendered_template", "This is template text that Klaviyo did not render")
    return value


def _stars(value: Any) -> Any:
    try:
        rating_of(value, "This")
    except Invalid as error:
        raise Refused(error.code, error.message) from None
    return value


def _time(value: Any) -> Any:
    try:
        if value:
            moment_of(value)
    except Invalid as error:
        raise Refused(error.code, error.message) from None
    return value


def _length(value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip()
        if value and not (value.isascii() and value.isdigit() and len(value) < 8):
            raise Refused("invalid_length", "This is not a number of characters")
    return value


Word = Annotated[Text, AfterValidator(_rendered), AfterValidator(lambda text: "" if text == "None" else text)]
"""A word that Klaviyo rendered; what is missing in the event comes as nothing, or as the word None."""

Truth = Annotated[bool | Annotated[str, AfterValidator(_rendered)], Field(examples=["True"])]
Stars = Annotated[
    int | float | Annotated[str, AfterValidator(_rendered)] | None, AfterValidator(_stars), Field(examples=["5"])
]
Length = Annotated[
    Annotated[int, Field(ge=0, le=1_000_000)] | Annotated[str, AfterValidator(_rendered)] | None,
    AfterValidator(_length),
    Field(description="How many characters the text has, where it is not sent along.", examples=["120"]),
]
When = Annotated[
    int | float | Annotated[str, AfterValidator(_rendered)] | None,
    AfterValidator(_time),
    Field(description="When it was written (ISO 8601 or seconds since 1970); left out: now."),
]


class FlowReviewForm(Form):
    """One submitted review. ``review_id`` and ``event_id`` make it pay once, whichever way it comes in as well."""

    email: EmailAddress
    review_id: Annotated[Word, Field(max_length=100, examples=["925e385b52fb405715f3616c337cc65c"])] = ""
    event_id: Annotated[
        Word, Field(max_length=100, description="The event's $event_id.", examples=["review-925e385b52fb405715f3"])
    ] = ""
    kind: Annotated[Literal["review", "rating"], Field(description="With text, or stars alone.")] = "review"
    rating: Stars = None
    verified: Truth = False
    has_media: Truth = False
    status: Annotated[Word, Field(max_length=LONGEST_NAME, examples=["published"])] = ""
    content: Annotated[Text, Field(max_length=LONGEST_TEXT, description="The text; it is counted and not kept.")] = ""
    text_length: Length = None
    product: Annotated[Word, Field(examples=["Candle"])] = ""
    product_url: Word = ""
    product_id: Annotated[Word, Field(max_length=LONGEST_NAME)] = ""
    submitted_at: When = None

    @model_validator(mode="after")
    def _has_a_name(self) -> FlowReviewForm:
        if not review_names(self.review_id, self.event_id):
            message = "Name the review: review_id or event_id; the trigger's event may call them otherwise"
            raise Refused("no_review_id", message)
        return self


class TakenReview(Told):
    """A review that is queued; the rule decides on it within seconds."""

    review: Annotated[str, Field(description="The name under which its decision is found.")]


def read_flow_review(program: str, body: bytes, digest_text: DigestText, now: datetime) -> ReviewMessage:
    """Read and check a request's body. ``digest_text`` makes the digest of the text, which goes nowhere else.

    Raises:
        TooLarge: more than ``MOST_BYTES``.
        Invalid: ``malformed_json``.
        Rejected: ``not_an_object``, or ``invalid_review`` with all errors at once.
    """
    document = read_json(body, MOST_BYTES)
    if not isinstance(document, dict):
        raise Rejected("The body must be one review, as a JSON object.", code="not_an_object")
    form: FlowReviewForm = filled_in(FlowReviewForm, document, "review")
    names = review_names(form.review_id, form.event_id)
    text = text_of(form.content)
    title, url = text_of(form.product), text_of(form.product_url)
    return ReviewMessage(
        program=program,
        review_key=names[0],
        event_id=plain_id(text_of(form.event_id)),
        kind=SubmissionKind(form.kind),
        email=form.email,
        rating=rating_of(form.rating, "rating"),
        verified=truth_of(form.verified),
        status=text_of(form.status).lower(),
        text_length=len(text) or int(form.text_length or 0),
        text_digest=text_digest(text, digest_text),
        has_media=truth_of(form.has_media),
        product=title[:LONGEST_NAME],
        product_url=url[:LONGEST_URL],
        submitted_at=moment_of(form.submitted_at) if form.submitted_at else now,
        way=ReviewWay.FLOW,
        other_keys=tuple(names[1:]),
        product_key=product_key(url, text_of(form.product_id), title),
    )
