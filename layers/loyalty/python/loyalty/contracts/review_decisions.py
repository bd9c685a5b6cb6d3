"""The answer to "why no points?": decisions on reviews as a merchant reads them (R113)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from loyalty.contracts.forms import Form, Told
from loyalty.domain.moments import utc_text
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.domain.unheard_reviews import Condition, first_failing

PAGE = 10
LONGEST_PAGE = 50


class ConditionDocument(Told):
    """One condition for hearing of reviews at all."""

    code: Annotated[str, Field(examples=["not_installed"])]
    holds: Annotated[bool | None, Field(description="null where it cannot be seen from here.")]
    message: Annotated[str, Field(description="What is so where it does not hold.")]
    fix: str


class ReviewDecisionDocument(Told):
    """What was decided on a review, and the first condition that failed."""

    review_id: str
    outcome: Annotated[
        Literal["awarded", "refused", "waiting", "taken_back", "unusable", "unheard"],
        Field(
            description="waiting earns once it is published, taken_back had earned, unusable lacks what a decision "
            "needs, unheard never arrived."
        ),
    ]
    code: Annotated[str, Field(description="The first condition that failed; empty when none did.")] = ""
    message: Annotated[str, Field(description="The same in words.")] = ""
    fix: Annotated[str, Field(description="What the merchant can do.")] = ""
    points: Annotated[int, Field(description="Points of this review that stand now.")] = 0
    entry_id: str | None = None
    member_id: str | None = None
    rule_version: Annotated[int | None, Field(description="Version of the rule that decided; 0 for a flow.")] = None
    review_app: str | None = None
    came_by: Annotated[str | None, Field(description="The way that told of it last.", examples=["webhook"])] = None
    status: Annotated[str | None, Field(description="Newest known status in the review app.")] = None
    status_at: Annotated[str | None, Field(description="Since when; null where it is the status at submission.")] = None
    submitted_at: str | None = None
    decided_at: str | None = None
    conditions: Annotated[
        tuple[ConditionDocument, ...], Field(description="For an unheard review: what has to be so, in order.")
    ] = ()

    @classmethod
    def of(cls, decision: ReviewDecision) -> ReviewDecisionDocument:
        """A decision as it is told."""
        return cls.model_validate(
            {
                "review_id": decision.review_key,
                "outcome": decision.outcome,
                "code": decision.code,
                "message": decision.message,
                "fix": decision.fix,
                "points": decision.points,
                "entry_id": decision.entry_id or None,
                "member_id": decision.member_id or None,
                "rule_version": decision.rule_version,
                "review_app": decision.source,
                "came_by": decision.way,
                "status": decision.status or None,
                "status_at": _text(decision.status_at),
                "submitted_at": _text(decision.submitted_at),
                "decided_at": _text(decision.decided_at),
            }
        )

    @classmethod
    def unheard(cls, review_id: str, found: Iterable[Condition]) -> ReviewDecisionDocument:
        """The answer about a review that never arrived."""
        conditions = list(found)
        why = first_failing(conditions)
        return cls(
            review_id=review_id,
            outcome="unheard",
            code=why.code,
            message=why.message,
            fix=why.fix,
            conditions=tuple(
                ConditionDocument(code=each.why.code, holds=each.holds, message=each.why.message, fix=each.why.fix)
                for each in conditions
            ),
        )


class MemberReviewsDocument(Told):
    """The decisions on a member's reviews, newest review first."""

    reviews: tuple[ReviewDecisionDocument, ...]
    next_cursor: Annotated[str | None, Field(description="Asks for the next page; null on the last.")]
    unheard: Annotated[
        ReviewDecisionDocument | None, Field(description="Where there is no review: why none may have arrived.")
    ] = None


class ReviewsPageForm(Form):
    """Which page of a member's decisions."""

    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="Decisions on a page.")] = PAGE
    cursor: Annotated[str, Field(pattern=r"^[0-9A-Za-z#:.-]{0,60}$", description="next_cursor of the page before.")] = (
        ""
    )


def _text(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None
