"""Importing history: only when asked, exactly once, rehearsed without a trace, told Klaviyo as back-fill (R112)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.fake_klaviyo.review_desk import add_review
from local.fake_klaviyo.seed import ReviewInput
from loyalty.domain.connection import FirstSync
from loyalty.domain.errors import Transient
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.entry import DeliveryState
from loyalty.domain.review_rule import ReviewLimit
from loyalty.domain.telling import BACKFILL
from loyalty.ports import KlaviyoApi
from loyalty.services.award_review import AwardReview
from loyalty.services.import_reviews import Imported, ImportReviews
from loyalty.services.posting import Ledger
from tests.connection_world import CANDLES, Office
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions

EMAIL = "sarah.mason@klaviyo-demo.com"


class Past:
    """An account with reviews of a year, connected at its end."""

    def __init__(self) -> None:
        self.office = Office()
        self.begun = self.office.clock.now()
        self.decisions = MemoryDecisions()
        self.importing = ImportReviews(
            self.office.programs, self.office.ledger, self.decisions, self.office.clock, SeededRandomness()
        )

    def review(self, number: int = 0, **given: Any) -> str:
        account = self.office.account.fake.services.world.accounts["AbC123"]
        email = f"customer-{number}@klaviyo-demo.com"
        review = ReviewInput.model_validate({"email": email, **given})
        return add_review(account, review, self.begun + timedelta(hours=number)).id

    def connected(self) -> None:
        self.office.clock.sleep(timedelta(days=365).total_seconds())
        self.office.connects()
        self.office.changes(first_sync=FirstSync.DONE)

    def obeys(self, **changes: Any) -> None:
        program = self.office.programs.programs[CANDLES]
        changed = replace(program, review_rule=replace(program.review_rule, **changes))
        self.office.programs.programs[CANDLES] = changed

    def imports(self, *, rehearse: bool = False, days: float = 365, since: float = 0) -> Imported:
        program = self.office.programs.programs[CANDLES]
        begin, end = self.begun + timedelta(days=since), self.begun + timedelta(days=days)
        *_, done = self.importing(program, self.api, begin, end, rehearse=rehearse)
        return done

    @property
    def api(self) -> KlaviyoApi:
        return self.office.klaviyo.open(self.office.programs.programs[CANDLES])

    def points(self) -> int:
        return sum(entry.points for entry in self.office.ledger.written.values())

    def everything(self) -> tuple[Any, ...]:
        ledger, decisions = self.office.ledger, self.decisions
        return (
            dict(ledger.stored),
            dict(ledger.written),
            dict(ledger.records),
            dict(decisions.decisions),
            dict(decisions.names),
            dict(decisions.tallies),
        )


@pytest.fixture
def past() -> Past:
    past = Past()
    for number in range(120):
        past.review(number, verified=number % 4 != 0)
    past.connected()
    return past


def test_an_import_pays_what_the_rule_pays_exactly_once(past: Past) -> None:
    done = past.imports()
    assert (done.reviews, done.points) == (120, 90 * 50)
    assert done.outcomes == {"awarded": 90, "refused (not_verified)": 30}
    assert past.points() == 90 * 50
    again = past.imports()
    assert (again.reviews, again.points) == (120, 0)
    assert past.points() == 90 * 50


def test_a_rehearsal_says_the_same_and_changes_nothing(past: Past) -> None:
    before = past.everything()
    rehearsed = past.imports(rehearse=True)
    assert past.everything() == before
    assert rehearsed == past.imports()


def test_a_rehearsal_counts_limits_as_the_import_does(past: Past) -> None:
    """R105: reviews of one member within the rehearsal count against each other."""
    for number in range(200, 204):
        past.review(number, email=EMAIL)
    past.obeys(limit=ReviewLimit(2, CapPeriod.YEAR), refuse_duplicates=True, verified_only=False)
    before = past.everything()
    rehearsed = past.imports(rehearse=True)
    assert past.everything() == before
    assert rehearsed == past.imports()
    assert sum(count for name, count in rehearsed.outcomes.items() if "limit" in name or "duplicate" in name) > 0


def test_only_the_time_asked_for_is_imported(past: Past) -> None:
    """Both ends included; the oldest first."""
    assert past.imports(since=1, days=2).reviews == 25
    assert past.imports(since=300).reviews == 0


def test_flows_are_not_set_off_by_history(past: Past) -> None:
    past.imports()
    deliveries = {(entry.delivery.state, entry.delivery.why) for entry in past.office.ledger.written.values()}
    assert deliveries == {(DeliveryState.OWED, BACKFILL)}


def test_what_another_way_tells_of_an_imported_review_pays_nothing_more(past: Past) -> None:
    """And nothing retroactive happens without an import: the same reviews, looked through, are refused."""
    award = AwardReview(
        past.office.programs,
        Ledger(past.office.ledger, past.office.clock, SeededRandomness()),
        past.decisions,
        past.office.clock,
    )
    past.office.changes(connected_at=past.office.connection().connected_at)
    account = past.office.account.fake.services.world.accounts["AbC123"]
    for review in account.reviews.values():
        review.updated = past.office.clock.now() + timedelta(minutes=1)

    def looks_through() -> None:
        past.office.clock.sleep(4000)
        past.office.upkeep(until=past.office.clock.now() + timedelta(seconds=60))
        for message in past.office.reviews.messages:
            award(message.body)
        past.office.reviews.messages.clear()

    looks_through()
    assert past.points() == 0
    assert past.imports().points == 90 * 50
    for review in account.reviews.values():
        review.updated = past.office.clock.now() + timedelta(minutes=1)
    looks_through()
    assert past.points() == 90 * 50


def test_klaviyos_bad_moments_are_waited_out(past: Past) -> None:
    past.office.account.goes_wrong(operation="get_reviews", kind="status", status=429, retry_after=30, times=2)
    assert past.imports().reviews == 120


def test_a_long_outage_ends_the_import_and_the_next_one_goes_on(past: Past) -> None:
    past.office.account.goes_wrong(operation="get_reviews", kind="status", status=503, times=None)
    with pytest.raises(Transient):
        past.imports()
    past.office.account.fake.services.faults.clear()
    assert past.imports().points == 90 * 50
