"""Bring a review's decision before the ledger: award what it is worth, take back what stands. Repeating it is safe.

The decision is stored before its points move, and every posting has a natural key that follows from the decision. So
whoever finds a decision that is not settled, after a crash or beside another worker, carries it out just the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from loyalty.domain.identity import Address, split_entry_id
from loyalty.domain.ledger.commands import Command, CommandKey, Earn, Narrative, Reverse
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Entry, Scalar, Source
from loyalty.domain.program import Program
from loyalty.domain.review_checks import Refused
from loyalty.domain.review_decisions import Outcome, ReviewDecision, refused
from loyalty.domain.reviews import ReviewSubmission
from loyalty.ports import Receipt
from loyalty.services.posting import Ledger

RULE = "review"
EARNED = "points_earned_review"
TAKEN_BACK = "points_deducted_review"

_DONE = frozenset({"already_reversed", "entry_of_another_member"})
"""Refusals to take back that mean there is nothing left to take."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A decision that the ledger has, what that moved now, and whether it had been moved before."""

    decision: ReviewDecision
    points: int = 0
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SettleReview:
    """Carries decisions out."""

    ledger: Ledger

    def __call__(self, program: Program, decision: ReviewDecision, submission: ReviewSubmission) -> Settled:
        """Post what a decision asks for; ``submission`` tells the story of an award.

        Raises:
            Conflict: others kept changing the member; later is fine.
            Transient: storage is out of reach; later is fine.
        """
        if decision.to_post:
            return self._awarded(program, decision, submission)
        if decision.outcome == Outcome.TAKEN_BACK and decision.entries:
            return self._taken_back(program, decision)
        return Settled(decision)

    def paid_before(self, program: Program, review_key: str) -> Receipt | None:
        """What the ledger paid under a review's natural key, whoever asked it to."""
        record = self.ledger.store.record(program.slug, _award_key(review_key))
        return record.receipt if record else None

    def undo(self, program: Program, decision: ReviewDecision, entry_id: str, why: str) -> Receipt | Refusal | None:
        """Take one entry of a review back, once; None when there is no such entry."""
        entry = self._entry(program, entry_id)
        if entry is None:
            return None
        command = Command(
            CommandKey("review-back", entry_id, natural=True),
            Reverse(entry),
            Narrative(
                source=Source(f"{decision.source}_review", decision.review_key),
                actor=decision.source,
                occurred_at=decision.status_at or decision.decided_at,
                reason=why,
                details=_circumstances(decision),
                event_type=TAKEN_BACK,
            ),
        )
        return self.ledger.post(program, Address("member", entry.member_id), command)

    def _awarded(self, program: Program, decision: ReviewDecision, submission: ReviewSubmission) -> Settled:
        command = Command(
            _award_key(decision.award_key),
            Earn(decision.to_post, rule=RULE),
            Narrative(
                source=Source(f"{decision.source}_review", decision.review_key),
                actor=decision.source,
                occurred_at=decision.submitted_at or submission.submitted_at,
                reason=f'Review of "{submission.product}"' if submission.product else "Review",
                details=_details(program, decision, submission),
                event_type=EARNED,
            ),
        )
        answer = self.ledger.post(program, self._writer(program, decision, submission), command, newcomer=True)
        if isinstance(answer, Refusal):
            if decision.posted:
                # What more it is worth does not fit; what was paid stands.
                return Settled(replace(decision, posted=decision.worth))
            return Settled(refused(decision, Refused(answer.code, answer.message, _FIXES.get(answer.code, ""))))
        return Settled(
            replace(
                decision,
                posted=decision.worth,
                points=decision.points + answer.points,
                entries=(*decision.entries, answer.entry_id),
                member_id=answer.member_id,
            ),
            answer.points,
            answer.replayed,
        )

    def _writer(self, program: Program, decision: ReviewDecision, submission: ReviewSubmission) -> Address:
        """Who is paid: the member that was decided on, whatever address a later message of the review names."""
        if decision.member_id != program.member_id(submission.email):
            member = Address("member", decision.member_id)
            if self.ledger.find(program, member) is not None:
                return member
        return Address("email", submission.email)

    def _taken_back(self, program: Program, decision: ReviewDecision) -> Settled:
        taken, left = 0, decision.entries
        why = f"Review {decision.status}" + (f": {decision.status_reason}" if decision.status_reason else "")
        while left:
            answer = self.undo(program, decision, left[-1], why)
            if isinstance(answer, Refusal) and answer.code not in _DONE:
                stands = _with_the_rest(decision, left, decision.points - taken)
                return Settled(refused(stands, _not_taken_back(answer), outcome=Outcome.AWARDED))
            if isinstance(answer, Receipt):
                taken += abs(answer.points)
            left = left[:-1]
        done = replace(decision, points=0, posted=0, entries=(), turn=decision.turn + 1)
        return Settled(done, -taken)

    def _entry(self, program: Program, entry_id: str) -> Entry | None:
        return self.ledger.store.entry(program.slug, *split_entry_id(entry_id))


_FIXES = {
    "member_excluded": "Let the customer take part in the program again.",
    "balance_cap_reached": "Raise the program's balance cap, or wait until the customer has spent points.",
}


def _with_the_rest(decision: ReviewDecision, entries: tuple[str, ...], points: int) -> ReviewDecision:
    """The record where not all of its entries could be taken back: worth what stands, until more is told of it."""
    if entries == decision.entries:
        return replace(decision, worth=decision.posted)
    return replace(decision, worth=points, points=points, posted=points, entries=entries, turn=decision.turn + 1)


def _not_taken_back(refusal: Refusal) -> Refused:
    return Refused(
        "take_back_refused",
        f"The review was withdrawn, but its points could not be taken back: {refusal.message}",
        "Take the points off by hand, or let the program's overdraft rule floor_at_zero or allow_negative.",
    )


def _award_key(value: str) -> CommandKey:
    return CommandKey("review", value, natural=True)


def _circumstances(decision: ReviewDecision) -> dict[str, Scalar]:
    told: dict[str, Scalar] = {"review_id": decision.review_key}
    if decision.status:
        told["review_status"] = decision.status
    if decision.status_reason:
        told["rejection_reason"] = decision.status_reason
    return told


def _details(program: Program, decision: ReviewDecision, submission: ReviewSubmission) -> dict[str, Scalar]:
    details: dict[str, Scalar] = {
        "review_id": decision.review_key,
        "review_kind": submission.kind.value,
        "verified": submission.verified,
        "has_media": submission.has_media,
    }
    if submission.rating is not None:
        details["rating"] = submission.rating
    if submission.product:
        details["product"] = submission.product
    if submission.product_url:
        details["product_url"] = submission.product_url
    rule = program.review_rule.in_force_at(decision.submitted_at or submission.submitted_at)
    if decision.to_post == rule.worth(submission):
        details |= rule.extras(submission)
    return details
