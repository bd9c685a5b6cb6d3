"""How far a program's reviews are known to have been looked through, newest change first.

Klaviyo lists reviews by their last change and cannot filter by it (docs/klaviyo.md 6). So a look goes from the newest
change back to where the last complete look began, and a little further, because a change may show up late. What that
little further holds is remembered by marks, so that it is not reported again each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loyalty.domain.ledger.entry import digest
from loyalty.domain.moments import utc_text

OVERLAP = timedelta(minutes=10)
"""How much later than newer ones a change may show up in the listing."""

SCOPE_MISSING = "reviews_scope_missing"
"""The credential may not read reviews."""

MOST_MARKS = 500
"""Marks that are kept; reviews beyond them are reported once more, which changes nothing."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What is known of one account's reviews.

    Every change up to ``known_until`` was reported; ``marks`` name those of the last ``OVERLAP`` before it. While a
    look is under way, ``cursor`` is where it goes on, ``newest`` and ``ahead`` are what it will make of the other two.
    ``looked_at`` is when a look last came to its end, ``problem`` why the last one did not: a stable code.
    """

    account_id: str
    known_until: datetime
    marks: frozenset[str] = frozenset()
    newest: datetime | None = None
    ahead: tuple[str, ...] = ()
    cursor: str = ""
    looked_at: datetime | None = None
    problem: str = ""
    version: int = field(default=0, compare=False)

    @property
    def back_to(self) -> datetime:
        """How far back a look has to go."""
        return self.known_until - OVERLAP

    def seeing(self, mark: str, changed_at: datetime, now: datetime) -> Reconciliation:
        """After one listed review. A time ahead of ours counts as now, lest it hides what comes until then."""
        newest = self.newest or min(changed_at, now)
        if changed_at < newest - OVERLAP or len(self.ahead) >= MOST_MARKS:
            return self if self.newest else replace(self, newest=newest)
        return replace(self, newest=newest, ahead=(*self.ahead, mark))

    def complete(self, now: datetime) -> Reconciliation:
        """After a look that came to its end."""
        known_until = max(self.known_until, self.newest or self.known_until)
        marks = frozenset(self.ahead) if self.newest else self.marks
        return replace(
            self, known_until=known_until, marks=marks, newest=None, ahead=(), cursor="", looked_at=now, problem=""
        )

    def from_the_start(self) -> Reconciliation:
        """Before a new look."""
        return replace(self, newest=None, ahead=(), cursor="")


def mark_of(review_id: str, changed_at: datetime) -> str:
    """Names one state of a review."""
    return digest(review_id, utc_text(changed_at).encode())[:16]
