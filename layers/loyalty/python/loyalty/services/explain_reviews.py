"""Answer "why no points?": for a review, and for a member (R113)."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.connection_ports import ConnectionNotes
from loyalty.contracts.judgeme_reviews import judgeme_key
from loyalty.contracts.klaviyo_reviews import review_key
from loyalty.contracts.review_decisions import MemberReviewsDocument, ReviewDecisionDocument
from loyalty.domain.errors import Invalid
from loyalty.domain.identity import Address
from loyalty.domain.program import Program
from loyalty.domain.unheard_reviews import conditions
from loyalty.review_ports import DecisionStore
from loyalty.services.posting import Ledger

LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class ExplainReviews:
    """Finds decisions, and reasons for their absence."""

    decisions: DecisionStore
    notes: ConnectionNotes
    ledger: Ledger

    def decision(self, program: Program, review_id: str) -> ReviewDecisionDocument:
        """What was decided on a review, by any id its app knows it under; why nothing was heard of it otherwise.

        Raises:
            Invalid: this can be no review's id.
        """
        name = review_key(review_id, None, None)
        if not name or len(review_id) > LONGEST_ID:
            raise Invalid("This is no id of a review.", code="invalid_review_id")
        decision = self.decisions.load(program.slug, name) or self.decisions.load(program.slug, judgeme_key(name))
        return ReviewDecisionDocument.of(decision) if decision else self._unheard(program, name)

    def of_member(self, program: Program, email: str, *, cursor: str, limit: int) -> MemberReviewsDocument:
        """The newest decisions on the reviews of whoever has an address, known to the ledger or not.

        Raises:
            Invalid: this is no e-mail address.
        """
        member_id = self.ledger.locate(program, Address("email", email)).member_id
        found, following = self.decisions.of_member(program.slug, member_id, before=cursor, limit=limit)
        return MemberReviewsDocument(
            reviews=tuple(map(ReviewDecisionDocument.of, found)),
            next_cursor=following or None,
            unheard=None if found or cursor else self._unheard(program, ""),
        )

    def _unheard(self, program: Program, review_id: str) -> ReviewDecisionDocument:
        last_delivery_at = self.notes.last_seen(program.slug).delivery_at if program.connection else None
        return ReviewDecisionDocument.unheard(review_id, conditions(program, last_delivery_at))
