"""Pay reviews of the time before the connection, because the merchant asks for it: never by itself (R112).

The listing of the Reviews API is read from one time to another, the oldest review first, and each review is decided on
at once, by the rule and under the review's own key: a review that is imported twice, or that comes in by another way as
well, pays once. What an import posts is told Klaviyo as back-fill, which sets off no flow. A rehearsal does all the
same on views that are never written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from loyalty.connection_ports import ReviewListing, ReviewPage
from loyalty.contracts.listed_reviews import read_listed_review
from loyalty.contracts.review_facts import digester
from loyalty.contracts.review_messages import QueuedReview
from loyalty.domain.klaviyo_errors import KlaviyoUnavailable
from loyalty.domain.program import Program
from loyalty.domain.reviews import ReviewWay
from loyalty.ports import Clock, LedgerStore, ProgramStore, Randomness
from loyalty.review_ports import DecisionStore
from loyalty.services.award_review import AwardReview
from loyalty.services.ledger_views import History, Rehearsal
from loyalty.services.posting import Ledger
from loyalty.services.rehearse_decisions import RehearsedDecisions

PATIENCE = 5
"""How often a page is asked for when Klaviyo has no time."""

LONGEST_PAUSE = 60
"""Seconds between two of these tries, whatever Klaviyo asks for."""


@dataclass(slots=True)
class Imported:
    """What became of the reviews so far: how many by outcome and code, and the points that moved."""

    reviews: int = 0
    points: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ImportReviews:
    """Imports reviews of a program's account."""

    programs: ProgramStore
    store: LedgerStore
    decisions: DecisionStore
    clock: Clock
    randomness: Randomness

    def __call__(
        self, program: Program, api: ReviewListing, since: datetime, until: datetime, *, rehearse: bool
    ) -> Iterator[Imported]:
        """Decide on every review that was written between two times; what was done so far, after each.

        Doing it again, or going on after a crash, pays nothing twice.

        Raises:
            Transient: Klaviyo or storage stayed out of reach; what was told is done.
            KlaviyoForbidden: the credential may not read reviews.
        """
        decide = self._decide(rehearse=rehearse)
        done = Imported()
        for message in self._messages(program, api, since, until):
            decided = decide(message.to_json())
            done.reviews += 1
            done.points += decided.points
            done.outcomes[decided.outcome + (f" ({decided.code})" if decided.code else "")] += 1
            yield done
        if not done.reviews:
            yield done

    def _messages(
        self, program: Program, api: ReviewListing, since: datetime, until: datetime
    ) -> Iterator[QueuedReview]:
        digest_text, cursor = digester(program), ""
        while True:
            page = self._patiently(partial(api.reviews_created, since, until, cursor))
            for review in page.reviews:
                if message := read_listed_review(program.slug, review, ReviewWay.IMPORT, digest_text):
                    yield message
            cursor = page.following
            if not cursor:
                return

    def _patiently(self, ask: Callable[[], ReviewPage]) -> ReviewPage:
        for _ in range(PATIENCE - 1):
            try:
                return ask()
            except KlaviyoUnavailable as unavailable:
                self.clock.sleep(min(unavailable.retry_after or 1, LONGEST_PAUSE))
        return ask()

    def _decide(self, *, rehearse: bool) -> AwardReview:
        store = Rehearsal(self.store) if rehearse else History(self.store)
        decisions = RehearsedDecisions(self.decisions) if rehearse else self.decisions
        return AwardReview(self.programs, Ledger(store, self.clock, self.randomness), decisions, self.clock)
