"""Which reviews of a member have earned, as far as limits need to know it. Pure.

Every review that earns under a rule with limits is kept by name, so that whatever a rule counts can be counted, also
after an edit, and a review told of twice counts once. Times are those of submission: a review that arrives late counts
in the period it was written in, and a redelivery in the same one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.moments import local_date

MOST_KEPT = 200
"""How many reviews of a member are kept by name; older ones only count in what is limited for ever."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One review that earned: its key, when it was submitted, and of which product."""

    review_key: str
    submitted_at: datetime
    product: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """The reviews of a member that earned, oldest first. ``version`` counts changes of what is stored."""

    reviews: tuple[Counted, ...] = ()
    older: int = 0
    version: int = 0

    def without(self, review_key: str) -> Tally:
        """The tally as if this review had not earned."""
        return replace(self, reviews=tuple(each for each in self.reviews if each.review_key != review_key))

    def with_review(self, counted: Counted) -> Tally:
        """The tally after this review has earned; counting it again changes nothing."""
        reviews = sorted((*self.without(counted.review_key).reviews, counted), key=_by_time)
        overflow = max(0, len(reviews) - MOST_KEPT)
        return replace(self, reviews=tuple(reviews[overflow:]), older=self.older + overflow)

    def joined(self, other: Tally) -> Tally:
        """The tally of a member that another one has become part of."""
        together = self
        for counted in other.reviews:
            together = together.with_review(counted)
        return replace(together, older=together.older + other.older)

    def ever(self) -> int:
        """How many reviews have earned."""
        return self.older + len(self.reviews)

    def within(self, period: CapPeriod, moment: datetime, timezone: str) -> list[Counted]:
        """The reviews that count in the same period of a time zone as one submitted at ``moment``."""
        return _same_period(self.reviews, period, moment, timezone)

    def of_product(self, product: str, period: CapPeriod, moment: datetime, timezone: str) -> list[Counted]:
        """Those of one product."""
        return _same_period((each for each in self.reviews if each.product == product), period, moment, timezone)

    def most_within(self, span: timedelta, moment: datetime) -> int:
        """The most reviews that, together with one submitted at ``moment``, fall into one span of that length."""
        times = sorted(
            [each.submitted_at for each in self.reviews if abs(each.submitted_at - moment) < span] + [moment]
        )
        return max(
            sum(start <= each < start + span for each in times) for start in times if start <= moment < start + span
        )


def _same_period(reviews: Iterable[Counted], period: CapPeriod, moment: datetime, timezone: str) -> list[Counted]:
    end = period.end(local_date(moment, timezone))
    return [each for each in reviews if period.end(local_date(each.submitted_at, timezone)) == end]


def _by_time(counted: Counted) -> tuple[datetime, str]:
    return counted.submitted_at, counted.review_key
