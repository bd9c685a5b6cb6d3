"""Balance adjustments as callers send them and as they are answered (R121-R131): Jeri's contract, with keys added."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from loyalty.contracts.forms import EmailAddress, Form, Refused, Told, Words, adapter_of, filled_in, invalid
from loyalty.contracts.idempotency import LONGEST_KEY
from loyalty.contracts.strict_json import read_json
from loyalty.domain.errors import Rejected
from loyalty.domain.ledger.amounts import MAX_POINTS

MOST_ITEMS = 100
MOST_BYTES = 256 * 1024
LONGEST_REASON = 500

REVIEW_KEY = "review:"
"""A key that begins so names a review of Klaviyo Reviews: an increase pays it once, whether a flow asks for it or the
program's review rule comes first (R136)."""


def _rendered(text: str) -> str:
    if is_template(text):
        raise Refused("unrendered_template", "This is template text that Klaviyo did not render")
    if text.strip() == REVIEW_KEY:
        raise Refused("no_review_id", "The review's id is missing; the trigger's event may have another name for it")
    return text


class AdjustmentForm(Form):
    """One adjustment of one customer's balance."""

    email: EmailAddress
    amount: Annotated[
        int,
        Field(
            gt=0,
            le=MAX_POINTS,
            description="Points, a positive whole number; the endpoint says which way.",
            examples=[100],
        ),
    ]
    reason: Annotated[
        Words,
        Field(
            max_length=LONGEST_REASON,
            description="Why, as the customer's activity log will show it, word for word.",
            examples=["Bonus points from Klaviyo flow"],
        ),
    ]
    idempotency_key: Annotated[
        Annotated[Words, AfterValidator(_rendered)] | None,
        Field(
            max_length=LONGEST_KEY,
            description="Names this adjustment: sent again, it is answered again and does not happen again (35 days).",
            examples=["01F2ZXJ7Q8-welcome"],
        ),
    ] = None


class Warned(Told):
    """Something that was done although it looks like a mistake."""

    code: Annotated[str, Field(examples=["unrendered_template"])]
    message: str


class RefusedWhy(Told):
    """Why an adjustment did not happen. Sending it again gives the same answer until something changes."""

    code: Annotated[str, Field(examples=["insufficient_points"])]
    message: str


class AdjustmentResult(Told):
    """What became of one item, in the order in which they were sent."""

    index: Annotated[int, Field(ge=0, description="Place of the item in the request.")]
    status: Annotated[Literal["posted", "refused"], Field(description="Whether the balance has moved.")]
    entry_id: Annotated[str | None, Field(description="The journal entry; also the Klaviyo event's unique_id.")] = None
    points: Annotated[int | None, Field(description="Points that moved, with their sign.")] = None
    balance: Annotated[int | None, Field(description="Points the customer could spend after this entry.")] = None
    replayed: Annotated[bool | None, Field(description="True when this was done before, and is only told again.")] = (
        None
    )
    error: RefusedWhy | None = None
    warnings: tuple[Warned, ...] = ()


class AdjustmentsAnswer(Told):
    """What became of all items."""

    results: tuple[AdjustmentResult, ...]


# Made while the module loads, where time is cheapest; answers are built with the first one.
adapter_of(list[AdjustmentForm])


def read_adjustments(body: bytes) -> list[AdjustmentForm]:
    """Read and check a whole request before any of it happens.

    Raises:
        TooLarge: more than ``MOST_BYTES``.
        Invalid: ``malformed_json``.
        Rejected: ``not_an_array``, ``no_items``, ``too_many_items``, or ``invalid_items`` with all errors at once.
    """
    document = read_json(body, MOST_BYTES)
    if not isinstance(document, list):
        raise Rejected(
            "The body must be an array of adjustments; put [ and ] around a single one.", code="not_an_array"
        )
    if not document:
        raise Rejected("The array holds no adjustment.", code="no_items")
    if len(document) > MOST_ITEMS:
        raise Rejected(
            f"One request takes at most {MOST_ITEMS} adjustments.", code="too_many_items", items=len(document)
        )
    items: list[AdjustmentForm] = filled_in(list[AdjustmentForm], document, "items")
    if errors := _repeated_keys(items):
        raise invalid("items", errors)
    return items


def warnings_for(reason: str) -> tuple[Warned, ...]:
    """What looks like a mistake in a reason: template text that was left unrendered (R129)."""
    if not is_template(reason):
        return ()
    message = "The reason holds template text that Klaviyo did not render; the activity log shows it as it is."
    return (Warned(code="unrendered_template", message=message),)


def is_template(text: str) -> bool:
    """Whether Klaviyo left template text unrendered in it."""
    return "{{" in text or "{%" in text


def _repeated_keys(items: list[AdjustmentForm]) -> list[dict[str, Any]]:
    first: dict[str, AdjustmentForm] = {}
    errors: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        if item.idempotency_key is None:
            continue
        if first.setdefault(item.idempotency_key, item) != item:
            message = "Another item of this request has the same key and asks for something else"
            errors.append({"where": f"{index}.idempotency_key", "code": "key_used_twice", "message": message})
    return errors
