"""What deciding on reviews needs from the outside world, beside what ``ports`` has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.domain.review_tally import Tally


@dataclass(frozen=True, slots=True)
class ReviewChange:
    """One change of a review's record, whole or not at all.

    ``decision`` and ``replaced`` have the versions they were read with; ``replaced`` are records that turn out to be
    of the same review and become names of it. ``new_names`` are names that lead nowhere so far. ``tally`` is what the
    member's is to be, None to leave it alone. ``text`` is the digest of a text that this review has first. ``lists``
    says that the member's list does not have the review yet; a review that is new is listed anyway.
    """

    program: ProgramSlug
    decision: ReviewDecision
    replaced: tuple[ReviewDecision, ...] = ()
    new_names: tuple[str, ...] = ()
    tally: Tally | None = None
    text: str = ""
    lists: bool = False


class DecisionStore(Protocol):
    """Decisions on reviews, and what limits and checks have to remember. Reads are consistent."""

    def find(self, program: ProgramSlug, names: Iterable[str]) -> Mapping[str, ReviewDecision]:
        """The decisions that names lead to; names that nobody has used are missing."""

    def load(self, program: ProgramSlug, name: str) -> ReviewDecision | None:
        """The decision on a review, by any of its names."""

    def tally(self, program: ProgramSlug, member_id: MemberId) -> Tally:
        """Which reviews of a member have earned under a rule with limits."""

    def first_with_text(self, program: ProgramSlug, text: str) -> str:
        """The key of the review that had a text first, by the text's digest; empty when nobody had it."""

    def commit(self, change: ReviewChange) -> ReviewDecision:
        """Carry out a change; the decision as it is stored then.

        Raises:
            Conflict: a record, name, tally or text is not any more what was read.
            Transient: storage is throttled or out of reach.
        """

    def of_member(
        self, program: ProgramSlug, member_id: MemberId, *, before: str, limit: int
    ) -> tuple[list[ReviewDecision], str]:
        """A page of a member's decisions, newest review first, and what the next page is before; "" for none."""

    def forget(self, program: ProgramSlug, member_id: MemberId) -> None:
        """Remove what is known of a member's reviews beyond that they were decided on, and close them (R25).

        May be repeated.
        """


class MergedReviews(Protocol):
    """Reviews of members that became part of others."""

    def join(self, program: ProgramSlug, merged: MemberId, staying: MemberId) -> None:
        """Count and list the reviews of a member that was merged with those of the one that goes on (W13).

        May be repeated.

        Raises:
            Conflict: something was decided for one of them meanwhile; trying again is safe.
        """
