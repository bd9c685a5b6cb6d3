"""Decide on a queued review and move its points: once for each review, whatever comes twice, in whatever order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loyalty.contracts.review_messages import UnusableMessage, parse_message
from loyalty.domain.errors import NotFound
from loyalty.domain.identity import Address, MemberId, ProgramSlug
from loyalty.domain.program import Program
from loyalty.domain.review_checks import Surroundings, may_be_duplicate
from loyalty.domain.review_decisions import (
    Outcome,
    ReviewDecision,
    counted,
    follow,
    merged,
    paid_otherwise,
    unheard,
)
from loyalty.domain.review_rule import ReviewRule
from loyalty.domain.review_tally import Tally
from loyalty.domain.reviews import ReviewSubmission
from loyalty.ports import Clock, ProgramStore
from loyalty.review_ports import DecisionStore, ReviewChange
from loyalty.services.posting import Ledger
from loyalty.services.settle_review import Settled, SettleReview

REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a review: one of ``Outcome``, or ``repeated`` where it was paid before and nothing changes.

    ``is_news`` is False where the message changed nothing, whatever the outcome was and stays.
    """

    program: str
    review_key: str
    event_id: str
    outcome: str
    code: str = ""
    member_id: str = ""
    entry_id: str = ""
    points: int = 0
    is_news: bool = True

    @property
    def message(self) -> str:
        """What happened."""
        return f"review {self.outcome}"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts. Unusable reviews were counted when they were taken in."""
        if not self.is_news:
            return {"DuplicatesIgnored": 1}
        match self.outcome:
            case Outcome.AWARDED:
                return {"ReviewsAwarded": 1, "PointsAwarded": self.points}
            case Outcome.TAKEN_BACK:
                return {"ReviewsTakenBack": 1, "PointsTakenBack": -self.points}
            case Outcome.REFUSED:
                return {"ReviewsRefused": 1}
            case Outcome.WAITING:
                return {"ReviewsWaiting": 1}
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
        """Follow what a message says of a review. Doing it again changes nothing.

        Raises:
            Invalid: the message is not one of ours.
            NotFound: there is no such program.
            Conflict: others kept changing the member or the review; later is fine.
            Transient: storage is out of reach; later is fine.
        """
        message = parse_message(body)
        program = self.programs.load(ProgramSlug(message.program))
        if program is None:
            raise NotFound("There is no such program.", code="unknown_program", program=message.program)
        if isinstance(message, UnusableMessage):
            return self.ledger.retrying(lambda: self._unusable(program, message))
        return self.ledger.retrying(lambda: self._decided(program, message.submission))

    def _unusable(self, program: Program, message: UnusableMessage) -> Decided:
        before = self.decisions.load(program.slug, message.review_key)
        if before is None:
            decision = ReviewDecision(
                review_key=message.review_key,
                outcome=Outcome.UNUSABLE.value,
                code=message.code,
                message=message.reason,
                rule_version=program.review_rule.version,
                event_id=message.event_id,
                member_id="",
                decided_at=self.clock.now(),
            )
            self.decisions.commit(ReviewChange(program.slug, decision))
        return Decided(program.slug, message.review_key, message.event_id, Outcome.UNUSABLE.value, message.code)

    def _decided(self, program: Program, submission: ReviewSubmission) -> Decided:
        known = self.decisions.find(program.slug, submission.names)
        before = self._one(program, known, submission)
        if before.forgotten:
            # Following it would pay whoever its address leads to now, or write down anew what was to be forgotten.
            return _told(program, submission, before, changed=False)
        if not before.is_settled:
            before = self._settled(program, before, submission).decision
        rule = program.review_rule.in_force_at(before.submitted_at or submission.submitted_at)
        around = self._surroundings(program, rule, before, submission)
        after = follow(before, submission, rule, around, self.clock.now())
        if after is before:
            return _told(program, submission, before, changed=False)
        stored = self._stored(program, before, after, submission, rule, around, known)
        settled = self._settled(program, stored, submission)
        return _told(program, submission, settled.decision, points=settled.points, changed=not settled.replayed)

    def _one(
        self, program: Program, known: Mapping[str, ReviewDecision], submission: ReviewSubmission
    ) -> ReviewDecision:
        """The one record of a review, which may have been taken for several, or be unheard of."""
        records = {decision.review_key: decision for decision in known.values()}
        if not records:
            return self._first(program, submission)
        kept, *others = sorted(records.values(), key=_seniority)
        for other in others:
            kept = self._join(program, kept, other, submission)
        for name in submission.names:
            if name in kept.joined:
                self._undo_stray(program, kept, name)
        if kept.outcome == Outcome.UNUSABLE:
            # What could not be decided on can be by now: it begins anew, in the same record.
            begun = self._first(program, submission)
            return replace(
                begun, review_key=kept.review_key, names=kept.names, joined=kept.joined, version=kept.version
            )
        return kept

    def _first(self, program: Program, submission: ReviewSubmission) -> ReviewDecision:
        member_id = self.ledger.locate(program, Address("email", submission.email)).member_id
        decision = unheard(submission, member_id, self.clock.now())
        for name in submission.names:
            if paid := SettleReview(self.ledger).paid_before(program, name):
                return paid_otherwise(decision, paid.points, paid.entry_id)
        return decision

    def _join(
        self, program: Program, kept: ReviewDecision, other: ReviewDecision, submission: ReviewSubmission
    ) -> ReviewDecision:
        settle = SettleReview(self.ledger)
        other = self._settled(program, other, submission).decision
        for entry_id in other.entries:
            settle.undo(program, other, entry_id, "The same review under another name")
        one = merged(kept, other)
        tally = self._without_place(program, kept, other.review_key)
        return self.decisions.commit(ReviewChange(program.slug, one, replaced=(other,), tally=tally))

    def _without_place(self, program: Program, decision: ReviewDecision, name: str) -> Tally | None:
        """A member's tally without the place that a review has there under a name; None where it has none."""
        tally = self.decisions.tally(program.slug, MemberId(decision.member_id))
        without = tally.without(name)
        return without if without != tally else None

    def _undo_stray(self, program: Program, kept: ReviewDecision, name: str) -> None:
        """Take back what a worker paid under a name just when that turned out to be no review of its own."""
        settle = SettleReview(self.ledger)
        stray = settle.paid_before(program, name)
        if stray is not None and stray.entry_id not in kept.entries:
            settle.undo(program, kept, stray.entry_id, "The same review under another name")

    def _surroundings(
        self, program: Program, rule: ReviewRule, before: ReviewDecision, submission: ReviewSubmission
    ) -> Surroundings:
        first_text = ""
        if _minds_text(rule, submission) and submission.text_digest != before.text:
            holder = self.decisions.first_with_text(program.slug, submission.text_digest)
            first_text = "" if holder in {before.review_key, *before.names} else holder
        return Surroundings(
            timezone=program.terms.timezone,
            connected_at=program.reviews_since(submission.source),
            first_text=first_text,
            tally=self.decisions.tally(program.slug, MemberId(before.member_id))
            if _minds_others(rule, before)
            else Tally(),
        )

    def _stored(
        self,
        program: Program,
        before: ReviewDecision,
        after: ReviewDecision,
        submission: ReviewSubmission,
        rule: ReviewRule,
        around: Surroundings,
        known: Mapping[str, ReviewDecision],
    ) -> ReviewDecision:
        tally = counted(around.tally, after, submission) if _minds_others(rule, before) else around.tally
        claims_text = _minds_text(rule, submission) and not around.first_text and not before.text
        text = submission.text_digest if claims_text else ""
        led_here = {*known, before.review_key, *before.names}
        return self.decisions.commit(
            ReviewChange(
                program.slug,
                replace(after, text=text or before.text),
                new_names=tuple(name for name in submission.names if name not in led_here),
                tally=None if tally is around.tally else tally,
                text=text,
                lists=not before.rule_version,
            )
        )

    def _settled(self, program: Program, decision: ReviewDecision, submission: ReviewSubmission) -> Settled:
        settled = SettleReview(self.ledger)(program, decision, submission)
        if settled.decision == decision:
            return settled
        change = ReviewChange(program.slug, settled.decision)
        if decision.to_post and settled.decision.outcome == Outcome.REFUSED:
            # It earned nothing after all, so it takes no place among those that did.
            change = replace(change, tally=self._without_place(program, decision, decision.review_key))
        return replace(settled, decision=self.decisions.commit(change))


def _minds_text(rule: ReviewRule, submission: ReviewSubmission) -> bool:
    """Whether it matters who had a text first."""
    return rule.refuse_duplicates and may_be_duplicate(submission)


def _minds_others(rule: ReviewRule, before: ReviewDecision) -> bool:
    """Whether it matters what else the member was paid for: not for a review that has its place already."""
    return rule.counts_reviews and before.outcome != Outcome.AWARDED


def _seniority(decision: ReviewDecision) -> tuple[bool, bool, bool, str]:
    """Who of several records of one review stays: one that was paid, else judged, the earliest of those."""
    at = decision.submitted_at or decision.decided_at
    return (
        not decision.entries,
        decision.outcome != Outcome.AWARDED,
        decision.outcome == Outcome.UNUSABLE,
        f"{at.isoformat()} {decision.review_key}",
    )


def _told(
    program: Program, submission: ReviewSubmission, decision: ReviewDecision, *, changed: bool, points: int = 0
) -> Decided:
    outcome = decision.outcome
    if outcome == Outcome.AWARDED and (not changed or not points):
        outcome = REPEATED
    return Decided(
        program=program.slug,
        review_key=decision.review_key,
        event_id=submission.event_id,
        outcome=outcome,
        code=decision.code,
        member_id=decision.member_id,
        entry_id=decision.entry_id,
        points=points if outcome != REPEATED else 0,
        is_news=changed and outcome != REPEATED,
    )
