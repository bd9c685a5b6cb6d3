"""Decide on a queued review and post its points: once for each review, whatever comes twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loyalty.contracts.review_messages import QueuedReview, UnusableMessage, parse_message
from loyalty.domain.errors import NotFound
from loyalty.domain.identity import Address, MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Command, CommandKey, Earn, Narrative
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Scalar, Source
from loyalty.domain.program import Program
from loyalty.domain.reviews import Award, Refused, ReviewDecision, ReviewSubmission, judge
from loyalty.ports import Clock, DecisionStore, ProgramStore, Receipt
from loyalty.services.posting import Ledger

RULE = "review"
EVENT_TYPE = "points_earned_review"


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided on a review: ``awarded``, ``repeated`` (paid before), ``refused`` or ``unusable``."""

    program: str
    review_key: str
    event_id: str
    outcome: str
    code: str = ""
    member_id: str = ""
    entry_id: str = ""
    points: int = 0

    @property
    def message(self) -> str:
        """What happened."""
        return f"review {self.outcome}"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts. Unusable reviews were counted when they were taken in."""
        match self.outcome:
            case "awarded":
                return {"ReviewsAwarded": 1, "PointsAwarded": self.points}
            case "repeated":
                return {"DuplicatesIgnored": 1}
            case "refused":
                return {"ReviewsRefused": 1}
            case _:
                return {}

    @property
    def ids(self) -> Mapping[str, str]:
        """Where to look further."""
        ids = {
            "program": self.program,
            "review_key": self.review_key,
            "event_id": self.event_id,
            "member_id": self.member_id,
            "entry_id": self.entry_id,
            "code": self.code,
        }
        return {name: value for name, value in ids.items() if value}


@dataclass(frozen=True, slots=True)
class AwardReview:
    """Decides on queued reviews."""

    programs: ProgramStore
    ledger: Ledger
    decisions: DecisionStore
    clock: Clock

    def __call__(self, body: str) -> Decided:
        """Post the points of the review in a message or record why it earns none. Doing it again changes nothing.

        Raises:
            Invalid: the message is not one of ours.
            NotFound: there is no such program.
            Conflict: others kept changing the member; later is fine.
            Transient: storage is out of reach; later is fine.
        """
        message = parse_message(body)
        program = self.programs.load(ProgramSlug(message.program))
        if program is None:
            raise NotFound("There is no such program.", code="unknown_program", program=message.program)
        if isinstance(message, UnusableMessage):
            return self._declined(program, "unusable", message, Refused(message.code, message.reason), MemberId(""))
        submission = message.submission
        connected_at = program.connection.connected_at if program.connection else None
        verdict = judge(submission, program.review_rule, connected_at)
        if isinstance(verdict, Refused):
            # A rating that earned may be followed by its review, which under the rule would not have.
            if first := self.ledger.store.record(program.slug, _key(submission.review_key)):
                return _repeated(program, submission, first.receipt)
            return self._declined(program, "refused", message, verdict, program.member_id(submission.email))
        answer = self.ledger.post(
            program, Address("email", submission.email), _command(submission, verdict), newcomer=True
        )
        if isinstance(answer, Refusal):
            refused = Refused(answer.code, answer.message)
            return self._declined(program, "refused", message, refused, program.member_id(submission.email))
        if answer.replayed:
            return _repeated(program, submission, answer)
        return Decided(
            program=program.slug,
            review_key=submission.review_key,
            event_id=submission.event_id,
            outcome="awarded",
            member_id=answer.member_id,
            entry_id=answer.entry_id,
            points=answer.points,
        )

    def _declined(
        self, program: Program, outcome: str, message: QueuedReview, why: Refused, member_id: MemberId
    ) -> Decided:
        decision = ReviewDecision(
            review_key=message.review_key,
            outcome=outcome,
            code=why.code,
            message=why.message,
            rule_version=program.review_rule.version,
            event_id=message.event_id,
            member_id=member_id,
            decided_at=self.clock.now(),
        )
        self.decisions.save(program.slug, decision)
        return Decided(program.slug, message.review_key, message.event_id, outcome, why.code, member_id)


def _repeated(program: Program, submission: ReviewSubmission, first: Receipt) -> Decided:
    return Decided(
        program=program.slug,
        review_key=submission.review_key,
        event_id=submission.event_id,
        outcome="repeated",
        member_id=first.member_id,
        entry_id=first.entry_id,
    )


def _key(review_key: str) -> CommandKey:
    return CommandKey("review", review_key, natural=True)


def _command(submission: ReviewSubmission, award: Award) -> Command:
    return Command(
        _key(submission.review_key),
        Earn(award.points, rule=RULE),
        Narrative(
            source=Source("klaviyo_review", submission.review_key),
            actor="klaviyo",
            occurred_at=submission.submitted_at,
            reason=f'Review of "{submission.product}"' if submission.product else "Review",
            details=_details(submission),
            event_type=EVENT_TYPE,
        ),
    )


def _details(submission: ReviewSubmission) -> dict[str, Scalar]:
    details: dict[str, Scalar] = {
        "review_id": submission.review_key,
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
    return details
