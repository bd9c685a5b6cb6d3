"""Laws of the review rule's limits: in whatever order reviews are told, nobody is paid more often than a rule says."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import local_date
from loyalty.domain.review_rule import Burst, ReviewLimit, ReviewRule
from tests.review_world import ReviewWorld
from tests.reviews import moment

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland")
START = moment("2028-02-27T20:00")
"""Two days before a leap day, so that months, weeks and days end within the span of a test."""

limits = st.none() | st.builds(ReviewLimit, st.integers(1, 3), st.sampled_from(CapPeriod))
rules = st.builds(
    ReviewRule,
    limit=limits,
    product_limit=limits,
    member_limit=st.none() | st.integers(1, 4),
    burst=st.none() | st.builds(Burst, st.integers(1, 2), st.integers(1, 600)),
)
reviews = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 60 * 24 * 5), st.sampled_from(["candle", "soap", ""])), max_size=14
)


def counted_in(period: CapPeriod, at: datetime, zone: str) -> str:
    return period.end(local_date(at, zone))


@given(rules, reviews, st.sampled_from(ZONES))
def test_no_limit_is_ever_exceeded_and_a_repeat_changes_nothing(
    rule: ReviewRule, told: list[tuple[int, int, str]], zone: str
) -> None:
    """R105, R110, R111: the ledger's entries are counted anew from what was submitted."""
    world = ReviewWorld(rule, terms=Terms(timezone=zone))
    first_told: dict[str, tuple[datetime, str]] = {}
    for number, minutes, product in [*told, *told]:
        key, at = f"{number:032x}", START + timedelta(minutes=minutes)
        said: dict[str, Any] = {"review_key": key, "submitted_at": at, "product_key": product}
        if not product:
            said |= {"product": "", "product_url": ""}
        # What is told of one review agrees on when and of what it was.
        said = {**said, **dict(zip(("submitted_at", "product_key"), first_told.get(key, (at, product)), strict=True))}
        first_told.setdefault(key, (at, product))
        world.hears(**said, text_digest=key)
    paid = [first_told[entry.source.id] for entry in world.entries()]
    assert len(paid) == len({entry.source.id for entry in world.entries()})
    assert world.balance() == 50 * len(paid)
    if rule.limit:
        periods = Counter(counted_in(rule.limit.period, at, zone) for at, _ in paid)
        assert all(times <= rule.limit.reviews for times in periods.values())
    if rule.product_limit:
        products = Counter((counted_in(rule.product_limit.period, at, zone), of) for at, of in paid if of)
        assert all(times <= rule.product_limit.reviews for times in products.values())
    if rule.member_limit:
        assert len(paid) <= rule.member_limit
    if rule.burst:
        span = timedelta(minutes=rule.burst.minutes)
        assert all(sum(at <= other < at + span for other, _ in paid) <= rule.burst.reviews for at, _ in paid)
    if not rule.counts_reviews:
        assert len(paid) == len(first_told)
    elif first_told:
        assert paid
