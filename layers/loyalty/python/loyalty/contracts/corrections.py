"""What people put right by hand: an entry that should not be (W8), two members who are one person (W13)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from loyalty.contracts.adjustments import LONGEST_REASON
from loyalty.contracts.forms import EmailAddress, Form, Refused, Told, Words
from loyalty.domain.ledger.amounts import MAX_POINTS


class UndoForm(Form):
    """Which entry of a member's journal is to be undone."""

    entry_id: Annotated[
        str,
        Field(
            pattern="^[a-z2-7]{26}-[0-9]{10}$",
            description="An earn, activate, adjust, spend, capture or expire entry, as the activity log names it.",
            examples=["srwgd2yhhjdlfcpj6diwchnvsv-0000000001"],
        ),
    ]
    points: Annotated[
        int | None, Field(ge=1, le=MAX_POINTS, description="How many of its points; without it, all that are left.")
    ] = None
    reason: Annotated[
        Words, Field(max_length=LONGEST_REASON, description="Why, as the activity log will show it, word for word.")
    ]


class UndoneDocument(Told):
    """The entry that undid another."""

    entry_id: str
    points: Annotated[int, Field(description="Signed points that it moved.")]
    balance: Annotated[int, Field(description="Points that could be spent afterwards.")]
    replayed: Annotated[bool, Field(description="Whether an earlier request had done this already.")]


class MergeForm(Form):
    """Into whom a member goes."""

    into: EmailAddress


class FindForm(Form):
    """By what a member is looked for: one of these."""

    external_id: Annotated[str | None, Field(min_length=1, max_length=255, description="The store's own id.")] = None
    phone: Annotated[
        str | None, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164.", examples=["+4930901820"])
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.external_id is None) == (self.phone is None):
            raise Refused("one_of", "Name either external_id or phone")
        return self
