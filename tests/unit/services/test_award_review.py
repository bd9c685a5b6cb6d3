"""Deciding on queued reviews: one posting a review, a recorded reason for every review that earns nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.contracts.review_messages import UnusableMessage
from loyalty.domain.errors import Conflict, Invalid, NotFound
from loyalty.domain.identity import Address, MemberId
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.commands import Identify
from loyalty.domain.ledger.entry import DeliveryState, Source
from loyalty.domain.ledger.member import Standing
from loyalty.domain.review_rule import ReviewLimit, ReviewRule
from loyalty.ports import Plan
from loyalty.services.award_review import AwardReview, Decided
from loyalty.services.posting import Ledger
from tests.builders import SARAH, a_command, a_connection, a_program
from tests.deliveries import RATING, a_review_event
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms

WRITTEN = datetime(2026, 8, 20, 14, 3, 11, tzinfo=UTC)
"""When the events of these tests were written."""


class World:
    """A connected program that pays 50 points a verified review."""

    def __init__(self, **changes: Any) -> None:
        self.clock = FixedClock()
        self.program = a_program(**changes)
        self.store = MemoryLedger()
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())
        self.decisions = MemoryDecisions()
        self.award = AwardReview(MemoryPrograms(self.program), self.ledger, self.decisions, self.clock)

    def decide(self, event: Any) -> Decided:
        message = read_review("candles", event, lambda _: "digest")
        assert message
        return self.award(message.to_json())

    def balance(self, address: Address = SARAH) -> int:
        member = self.ledger.find(self.program, address)
        return member.amounts.available if member else 0


def test_a_verified_review_earns_the_rules_points_in_one_entry() -> None:
    """R103, R104, R75: who, how much, why, and what Klaviyo is to hear."""
    world = World(review_rule=ReviewRule(points=70))
    decided = world.decide(a_review_event(1, review_rating=4, review_has_media=True))
    assert (decided.outcome, decided.points) == ("awarded", 70)
    assert decided.counts == {"ReviewsAwarded": 1, "PointsAwarded": 70}
    assert world.balance() == 70
    (entry,) = world.store.written.values()
    assert entry.id == decided.entry_id
    assert entry.source == Source("klaviyo_review", f"{1:032x}")
    assert (entry.actor, entry.event_type) == ("klaviyo", "points_earned_review")
    assert entry.occurred_at.isoformat() == "2026-08-20T14:03:11+00:00"
    assert entry.recorded_at == world.clock.now()
    assert entry.delivery.state is DeliveryState.OWED
    assert entry.private
    assert entry.private.reason == 'Review of "Candle"'
    assert entry.private.details == {
        "review_id": f"{1:032x}",
        "review_kind": "review",
        "rating": 4,
        "verified": True,
        "has_media": True,
        "product": "Candle",
        "product_url": "https://shop.klaviyo-demo.com/products/candle",
    }
    decision = world.decisions.load(world.program.slug, f"{1:032x}")
    assert decision
    assert (decision.outcome, decision.points, decision.entry_id) == ("awarded", 70, entry.id)
    assert (decision.code, decision.message, decision.member_id) == ("", "", entry.member_id)


def test_stars_alone_without_a_product_earn_too() -> None:
    """R107."""
    world = World()
    bare = {"review_content": None, "review_rating": None, "structured_product": None}
    decided = world.decide(a_review_event(1, topic=RATING, **bare))
    assert decided.outcome == "awarded"
    (entry,) = world.store.written.values()
    assert entry.private
    assert entry.private.reason == "Review"
    assert set(entry.private.details) == {"review_id", "review_kind", "verified", "has_media"}


def test_an_address_that_differs_in_case_and_space_is_the_same_member() -> None:
    """R33."""
    world = World()
    first = world.decide(a_review_event(1))
    second = world.decide(a_review_event(2, review_email=" SARAH.MASON@klaviyo-demo.com"))
    assert first.member_id == second.member_id
    assert world.balance() == 100


def test_the_rating_and_the_review_of_one_submission_pay_once() -> None:
    """R108, in either order, however often."""
    review, rating = a_review_event(1), a_review_event(1, topic=RATING)
    for events in ([review, rating, review], [rating, review]):
        world = World()
        outcomes = [world.decide(event) for event in events]
        assert [decided.outcome for decided in outcomes] == ["awarded", *["repeated"] * (len(events) - 1)]
        assert {decided.entry_id for decided in outcomes} == {outcomes[0].entry_id}
        assert outcomes[-1].counts == {"DuplicatesIgnored": 1}
        assert world.balance() == 50


def test_an_unverified_review_is_refused_with_a_recorded_reason() -> None:
    """R106."""
    world = World()
    decided = world.decide(a_review_event(1, review_verified=False))
    assert (decided.outcome, decided.code, decided.points) == ("refused", "not_verified", 0)
    assert decided.counts == {"ReviewsRefused": 1}
    assert world.decide(a_review_event(1, review_verified=False)).counts == {"DuplicatesIgnored": 1}
    assert world.store.written == {}
    decision = world.decisions.load(world.program.slug, f"{1:032x}")
    assert decision
    assert (decision.outcome, decision.code, decision.event_id) == ("refused", "not_verified", "evt00000001")
    assert decision.rule_version == world.program.review_rule.version
    assert decision.decided_at == world.clock.now()
    assert decision.message
    assert "klaviyo-demo" not in repr(decision)


def test_a_review_that_is_verified_later_earns_then() -> None:
    """R106: a refusal is no idempotency record, so the event that says more is decided on anew."""
    world = World()
    world.decide(a_review_event(1, review_verified=False))
    assert world.decide(a_review_event(1)).outcome == "awarded"
    assert world.balance() == 50


def test_a_refusal_after_the_award_of_the_same_review_records_nothing() -> None:
    """A merchant who asks why no points came must not be told a reason when they came."""
    world = World()
    first = world.decide(a_review_event(1, topic=RATING))
    again = world.decide(a_review_event(1, review_verified=False))
    assert (again.outcome, again.entry_id) == ("repeated", first.entry_id)
    decision = world.decisions.load(world.program.slug, f"{1:032x}")
    assert decision
    assert (decision.outcome, decision.code) == ("awarded", "")


def test_an_edit_of_the_rule_applies_to_later_reviews_only() -> None:
    """R99: a repeat answers what was paid then, and a late review from before the edit is judged as it was then."""
    world = World()
    world.decide(a_review_event(1))
    edited = world.program.review_rule.edited(ReviewRule(enabled=False), WRITTEN + timedelta(minutes=1))
    world.award = replace(world.award, programs=MemoryPrograms(replace(world.program, review_rule=edited)))
    assert world.decide(a_review_event(1)).outcome == "repeated"
    assert world.decide(a_review_event(2)).outcome == "awarded"
    later = a_review_event(3)
    later["payload"]["data"]["attributes"]["datetime"] = "2026-08-20 15:00:00+00:00"
    assert world.decide(later).code == "rule_disabled"


def test_a_refusal_of_the_ledger_is_recorded_like_one_of_the_rule() -> None:
    world = World()
    world.ledger.post(world.program, SARAH, a_command(Identify(standing=Standing.EXCLUDED)), newcomer=True)
    decided = world.decide(a_review_event(1))
    assert decided.outcome == "refused"
    assert decided.code
    decision = world.decisions.load(world.program.slug, f"{1:032x}")
    assert decision
    assert decision.code == decided.code


def test_an_unusable_event_is_recorded_with_its_reason() -> None:
    world = World()
    decided = world.decide(a_review_event(1, review_email="nobody"))
    assert (decided.outcome, decided.code) == ("unusable", "invalid_email")
    assert decided.counts == {}
    decision = world.decisions.load(world.program.slug, f"{1:032x}")
    assert decision
    assert (decision.outcome, decision.code, decision.member_id) == ("unusable", "invalid_email", "")


def test_a_worker_that_dies_after_the_transaction_leaves_the_same_state() -> None:
    """The message comes again, finds the key taken, and nothing changes."""

    class Dying(MemoryLedger):
        deaths = 1

        def commit(self, plan: Plan) -> None:
            super().commit(plan)
            if self.deaths:
                self.deaths -= 1
                raise RuntimeError("killed")

    world = World()
    world.store = Dying()
    world.ledger = Ledger(world.store, world.clock, SeededRandomness())
    world.award = replace(world.award, ledger=world.ledger)
    with pytest.raises(RuntimeError):
        world.decide(a_review_event(1))
    stored = (dict(world.store.stored), dict(world.store.written), dict(world.store.records))
    again = world.decide(a_review_event(1))
    assert again.outcome == "repeated"
    assert (world.store.stored, world.store.written, world.store.records) == stored
    assert world.balance() == 50


def test_a_conflict_that_does_not_end_is_handed_on() -> None:
    class Busy(MemoryLedger):
        def commit(self, plan: Plan) -> None:
            raise Conflict("Somebody was first.")

    world = World()
    world.award = replace(world.award, ledger=Ledger(Busy(), world.clock, SeededRandomness()))
    with pytest.raises(Conflict):
        world.decide(a_review_event(1))
    decision = world.decisions.load(world.program.slug, f"{1:032x}")
    assert decision
    assert (decision.outcome, decision.to_post, decision.points) == ("awarded", 50, 0)


def test_a_message_for_no_program_or_of_another_kind_is_not_swallowed() -> None:
    """It goes to the dead letters, where somebody sees it."""
    world = World()
    lost = UnusableMessage(program="gone", review_key="k", event_id="e", code="c", reason="r")
    with pytest.raises(NotFound):
        world.award(lost.to_json())
    with pytest.raises(Invalid):
        world.award("no message")


def test_a_review_from_before_the_connection_earns_nothing_however_often_it_comes() -> None:
    """R112: no retroactive rewards, on redelivery neither."""
    world = World(connection=a_connection(connected_at=WRITTEN + timedelta(seconds=1)))
    for _ in range(2):
        decided = world.decide(a_review_event(1))
        assert (decided.outcome, decided.code) == ("refused", "before_connection")
    assert world.balance() == 0


def test_a_review_of_the_very_second_of_the_connection_earns() -> None:
    """Klaviyo cuts times to the second."""
    connected_at = datetime(2026, 8, 20, 14, 3, 11, 900_000, tzinfo=UTC)
    assert World(connection=a_connection(connected_at=connected_at)).decide(a_review_event(1)).outcome == "awarded"


def test_an_unusable_event_is_no_obstacle_for_the_review_itself() -> None:
    """What could not be decided on is decided on when it is told of properly, and stands in its member's list."""
    for verified, outcome in ((True, "awarded"), (False, "refused")):
        world = World()
        world.decide(a_review_event(1, review_email="nobody"))
        decided = world.decide(a_review_event(1, review_verified=verified))
        assert decided.outcome == outcome
        listed, _ = world.decisions.of_member(world.program.slug, MemberId(decided.member_id), before="", limit=5)
        assert [decision.outcome for decision in listed] == [outcome]
        assert world.decide(a_review_event(1, review_email="nobody")).outcome == "unusable"
        assert world.decisions.load(world.program.slug, f"{1:032x}") == listed[0]


def test_a_refusal_of_a_release_before_counts_like_any_other_once_it_is_awarded() -> None:
    """It did not keep when the review was submitted, which limits need to know (R105)."""
    world = World(review_rule=ReviewRule(limit=ReviewLimit(1, CapPeriod.MONTH)))
    world.decide(a_review_event(1, review_verified=False))
    key = (world.program.slug, f"{1:032x}")
    world.decisions.decisions[key] = replace(world.decisions.decisions[key], submitted_at=None, version=0)
    assert world.decide(a_review_event(1)).outcome == "awarded"
    assert world.decide(a_review_event(2)).code == "period_limit"
