"""The decision on one review: one record that follows everything heard of the review, in whatever order. Pure.

The record holds the best that any message said of the review (its worth under the rule), the newest status it has in
the review app, and how much of its worth stands in the ledger. Where a decision moves points, the record says so
before they move: whoever comes after a crash carries out what the record says and moves nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from loyalty.domain.review_checks import Award, Refused, Surroundings, judge, limited, rank
from loyalty.domain.review_rule import AwardOn, ReviewRule
from loyalty.domain.review_tally import Counted, Tally
from loyalty.domain.reviews import ReviewSource, ReviewSubmission, ReviewWay


class Outcome(StrEnum):
    """What was decided. ``waiting`` earns once it is published; ``taken_back`` had earned and was rejected."""

    AWARDED = "awarded"
    REFUSED = "refused"
    WAITING = "waiting"
    TAKEN_BACK = "taken_back"
    UNUSABLE = "unusable"


_PUBLIC = frozenset({"published", "featured"})
_WEIGHT = {"rejected": 3, "unpublished": 2, "featured": 1, "published": 1}
"""Which status counts when two of the same time are told: the one that a merchant chose last, most likely."""

_UNPUBLIC = {
    "rejected": Refused(
        "review_rejected",
        "The review was rejected in the review app.",
        "Publish the review there if that was a mistake; its points follow.",
    ),
    "unpublished": Refused(
        "review_unpublished",
        "The review was taken off the store.",
        "Publish the review in the review app; its points follow.",
    ),
}
_AWAITING = Refused(
    "awaiting_publication",
    "The review is not published yet, and the rule pays published reviews only.",
    "Publish the review in the review app, or let the rule pay on submission.",
)


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """What was decided on a review, as the merchant is told and as the next message finds it.

    ``worth`` is what the review earns under the rule, 0 for nothing; ``posted`` is how much of that was brought before
    the ledger in this ``turn`` (each taking back ends one) and ``points`` is what stands there, by ``entries``.
    ``names`` are all other names of the review, ``joined`` those of them that had a decision of their own before.
    ``rule_version`` is 0 where something else than the rule paid. ``text`` is the digest of a text that this review
    had first. ``forgotten`` says that its writer was erased. ``version`` counts changes, 0 before it is stored.
    """

    review_key: str
    outcome: str
    code: str
    message: str
    rule_version: int
    event_id: str
    member_id: str
    decided_at: datetime
    fix: str = ""
    worth: int = 0
    points: int = 0
    posted: int = 0
    turn: int = 0
    entries: tuple[str, ...] = ()
    status: str = ""
    status_at: datetime | None = None
    status_reason: str = ""
    published: bool = False
    source: str = ReviewSource.KLAVIYO.value
    way: str = ReviewWay.WEBHOOK.value
    submitted_at: datetime | None = None
    names: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    text: str = ""
    forgotten: bool = False
    version: int = 0

    @property
    def entry_id(self) -> str:
        """The journal entry that paid the review; empty when none did, or its points were taken back."""
        return self.entries[0] if self.entries else ""

    @property
    def to_post(self) -> int:
        """Points that are decided on and not yet brought before the ledger."""
        return self.worth - self.posted if self.outcome == Outcome.AWARDED else 0

    @property
    def is_settled(self) -> bool:
        """Whether the ledger has everything that was decided."""
        return not self.to_post and not (self.outcome == Outcome.TAKEN_BACK and self.entries)

    @property
    def award_key(self) -> str:
        """The natural key of the next award: one for each step of worth in each turn."""
        return f"{self.review_key}#{self.turn}+{self.posted}" if self.turn or self.posted else self.review_key

    @property
    def is_paid_otherwise(self) -> bool:
        """Whether a flow, or a release without decisions, paid the review before the rule could."""
        return bool(self.worth) and not self.rule_version


def unheard(submission: ReviewSubmission, member_id: str, now: datetime) -> ReviewDecision:
    """The record of a review of which nothing was heard before."""
    return ReviewDecision(
        review_key=submission.review_key,
        outcome=Outcome.REFUSED.value,
        code="",
        message="",
        rule_version=0,
        event_id=submission.event_id,
        member_id=member_id,
        decided_at=now,
        source=submission.source.value,
        way=submission.way.value,
        submitted_at=submission.submitted_at,
    )


def paid_otherwise(before: ReviewDecision, points: int, entry_id: str) -> ReviewDecision:
    """The record of a review that has an entry in the ledger without a decision: it counts as paid, in full."""
    return replace(
        before, outcome=Outcome.AWARDED.value, worth=points, posted=points, points=points, entries=(entry_id,)
    )


def follow(
    before: ReviewDecision, submission: ReviewSubmission, rule: ReviewRule, around: Surroundings, now: datetime
) -> ReviewDecision:
    """The record after one more message; the very same one when the message says nothing new.

    The review is judged as it was first submitted, and its messages only ever improve what it is worth (R106, R108);
    its newest status decides whether it stands.
    """
    submitted = replace(
        submission, review_key=before.review_key, submitted_at=before.submitted_at or submission.submitted_at
    )
    after = _named(_at_status(before, submission), submission)
    after = _worth_more(after, judge(submitted, rule, around))
    after = _standing(after, submitted, rule, around)
    if after == before and before.version:
        return before
    decided_by = 0 if before.is_paid_otherwise else rule.version
    return replace(
        after,
        rule_version=decided_by,
        submitted_at=submitted.submitted_at,
        event_id=submission.event_id or before.event_id,
        way=submission.way.value,
        decided_at=now,
    )


def counted(tally: Tally, decision: ReviewDecision, submission: ReviewSubmission) -> Tally:
    """The tally after a decision: an award takes a place, and keeps it when it is taken back."""
    if decision.outcome != Outcome.AWARDED or decision.submitted_at is None:
        return tally
    if any(each.review_key == decision.review_key for each in tally.reviews):
        return tally
    return tally.with_review(Counted(decision.review_key, decision.submitted_at, submission.product_mark))


def merged(kept: ReviewDecision, dropped: ReviewDecision) -> ReviewDecision:
    """The record of a review that had been taken for two; what ``dropped`` was paid is gone from the ledger by now."""
    newest = max(kept, dropped, key=_status_order)
    names = dict.fromkeys((*kept.names, dropped.review_key, *dropped.names))
    is_judged = dropped.outcome != Outcome.UNUSABLE
    if is_judged and not kept.worth and (dropped.worth or rank(dropped.code) > rank(kept.code)):
        kept = replace(kept, code=dropped.code, message=dropped.message, fix=dropped.fix)
    return replace(
        kept,
        worth=kept.worth if kept.is_paid_otherwise else max(kept.worth, dropped.worth),
        status=newest.status,
        status_at=newest.status_at,
        status_reason=newest.status_reason,
        published=kept.published or dropped.published,
        names=tuple(name for name in names if name != kept.review_key),
        joined=tuple(dict.fromkeys((*kept.joined, dropped.review_key, *dropped.joined))),
        text=kept.text or dropped.text,
        forgotten=kept.forgotten or dropped.forgotten,
    )


def refused(before: ReviewDecision, why: Refused, *, outcome: Outcome = Outcome.REFUSED) -> ReviewDecision:
    """The record with a refusal in the merchant's words."""
    return replace(before, outcome=outcome.value, code=why.code, message=why.message, fix=why.fix)


def forgotten(decision: ReviewDecision) -> ReviewDecision:
    """The record after its writer was erased (R25): what was said is gone, and nothing changes it any more."""
    return replace(decision, message="", fix="", status_reason="", text="", forgotten=True)


def _at_status(before: ReviewDecision, submission: ReviewSubmission) -> ReviewDecision:
    # Whoever does not say when the review was changed tells its status at submission, however late (a flow may wait
    # for days), so that everything with a time of its own is newer.
    told = replace(
        before,
        status=submission.status.strip().lower(),
        status_at=submission.updated_at,
        status_reason=submission.status_reason,
    )
    if not told.status:
        return before
    published = before.published or told.status in _PUBLIC
    if not before.status or _status_order(told) > _status_order(before):
        return replace(told, published=published)
    return replace(before, published=published)


def _status_order(decision: ReviewDecision) -> tuple[float, int]:
    at = decision.status_at.timestamp() if decision.status_at else float("-inf")
    return at, _WEIGHT.get(decision.status, 0)


def _named(before: ReviewDecision, submission: ReviewSubmission) -> ReviewDecision:
    names = dict.fromkeys((*before.names, *submission.names))
    return replace(before, names=tuple(name for name in names if name != before.review_key))


def _worth_more(before: ReviewDecision, verdict: Award | Refused) -> ReviewDecision:
    match verdict:
        case Award(points) if points > before.worth and not before.is_paid_otherwise:
            return replace(before, worth=points)
        case Refused() if not before.worth and (not before.code or rank(verdict.code) > rank(before.code)):
            return refused(before, verdict)
    return before


def _standing(
    before: ReviewDecision, submission: ReviewSubmission, rule: ReviewRule, around: Surroundings
) -> ReviewDecision:
    if not before.worth:
        return before
    has_earned = before.outcome in {Outcome.AWARDED, Outcome.TAKEN_BACK}
    if why := _withdrawn(before, rule):
        return refused(before, why, outcome=Outcome.TAKEN_BACK if has_earned else Outcome.REFUSED)
    if before.outcome != Outcome.AWARDED:
        if rule.award_on is AwardOn.PUBLICATION and not before.published:
            why = _UNPUBLIC.get(before.status)
            return refused(before, why) if why else refused(before, _AWAITING, outcome=Outcome.WAITING)
        if why := limited(submission, rule, around):
            return refused(before, why)
    return replace(before, outcome=Outcome.AWARDED.value, code="", message="", fix="")


def _withdrawn(decision: ReviewDecision, rule: ReviewRule) -> Refused | None:
    withdrawing = {"rejected": rule.take_back_rejected, "unpublished": rule.take_back_unpublished}
    return _UNPUBLIC[decision.status] if withdrawing.get(decision.status) else None
