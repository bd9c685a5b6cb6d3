"""One review known under several names, or told of in several pieces, pays once: the better of what is told (R108)."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from loyalty.contracts.review_messages import UnusableMessage
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.review_decisions import Outcome
from loyalty.domain.review_rule import AwardOn, ReviewLimit, ReviewRule
from loyalty.domain.reviews import ReviewWay, SubmissionKind
from loyalty.review_ports import ReviewChange
from loyalty.services.erase_member import EraseMember
from loyalty.services.merge_members import MergeMembers
from tests.builders import SARAH
from tests.fakes.memory_decisions import MemoryDecisions
from tests.review_world import ReviewWorld
from tests.reviews import KEY, WRITTEN

STARS: dict[str, Any] = {"kind": SubmissionKind.RATING, "text_length": 0, "text_digest": ""}
BY_EVENT: dict[str, Any] = {"review_key": "evt1"}
UNUSABLE: dict[str, Any] = {
    "program": "candles",
    "review_key": "evt1",
    "event_id": "evt1",
    "code": "invalid_email",
    "reason": "This is no address.",
}
BY_BOTH: dict[str, Any] = {"other_keys": ("evt1",), "way": ReviewWay.POLL}


@pytest.mark.parametrize("told", list(permutations([{}, BY_EVENT, BY_BOTH])))
def test_a_review_under_two_names_pays_once_whichever_comes_first(told: tuple[dict[str, Any], ...]) -> None:
    """Also where both were paid before anybody said that they are one."""
    world = ReviewWorld()
    for said in (*told, *told):
        world.hears(**said)
    assert world.balance() == 50
    assert world.decision("evt1") == world.decision(KEY)
    decision = world.decision()
    assert (decision.outcome, decision.points, len(decision.entries)) == ("awarded", 50, 1)


def test_when_two_paid_names_become_one_the_later_payment_is_taken_back() -> None:
    world = ReviewWorld()
    world.hears()
    world.hears(**BY_EVENT, submitted_at=WRITTEN + timedelta(seconds=1))
    assert world.balance() == 100
    assert world.hears(**BY_BOTH).outcome == "repeated"
    assert world.moved() == [50, 50, -50]
    assert world.decision().joined == ("evt1",)


def test_a_paid_name_stands_above_a_refused_one() -> None:
    world = ReviewWorld()
    world.hears(verified=False)
    world.hears(**BY_EVENT)
    world.hears(**BY_BOTH, verified=False)
    assert world.decision(KEY).review_key == "evt1"
    assert (world.decision().outcome, world.moved()) == ("awarded", [50])


def test_a_review_that_was_taken_for_two_takes_one_place_under_a_limit() -> None:
    """R105: an honest customer's next review earns."""
    world = ReviewWorld(ReviewRule(limit=ReviewLimit(2, CapPeriod.MONTH)))
    for said in ({}, BY_EVENT, BY_BOTH):
        world.hears(**said)
    assert world.hears(review_key=f"{2:032x}").outcome == "awarded"
    assert world.hears(review_key=f"{3:032x}").code == "period_limit"
    assert world.balance() == 100


@pytest.mark.parametrize("told", list(permutations([{"verified": False}, UNUSABLE])))
def test_an_event_that_could_not_be_read_says_nothing_of_why_the_review_earned_nothing(
    told: tuple[dict[str, Any], ...],
) -> None:
    """R113: once it is known to be of a review that was refused."""
    world = ReviewWorld()
    world.clock.time = WRITTEN + timedelta(hours=1)
    for said in told:
        if said is UNUSABLE:
            world.award(UnusableMessage(**said).to_json())
        else:
            world.hears(**said)
    assert world.hears(**BY_BOTH, verified=False).code == "not_verified"
    assert world.decision("evt1") == world.decision(KEY)
    assert (world.decision().outcome, world.decision().code) == ("refused", "not_verified")


def test_what_a_second_name_was_known_to_be_worth_is_not_forgotten_when_the_first_could_not_be_read() -> None:
    """The unusable event came first, the review waits for its publication, then both turn out to be one."""
    world = ReviewWorld(ReviewRule(award_on=AwardOn.PUBLICATION))
    world.award(UnusableMessage(**UNUSABLE).to_json())
    world.hears(submitted_at=world.clock.now() + timedelta(minutes=1))
    world.hears(**BY_BOTH, verified=False, status="published")
    assert (world.decision().outcome, world.balance()) == ("awarded", 50)


def test_erasure_finds_the_text_of_a_second_name() -> None:
    """R25."""
    world = ReviewWorld(ReviewRule(refuse_duplicates=True))
    world.hears(**STARS)
    world.hears(**BY_EVENT)
    world.hears(**BY_BOTH, text_digest="")
    member_id = world.ledger.locate(world.program, SARAH).member_id
    EraseMember(world.ledger, world.decisions)(world.program, member_id, actor="operator")
    assert world.decisions.texts == {}


def test_a_worker_that_pays_a_name_just_when_it_stops_being_one_is_put_right_by_its_own_redelivery() -> None:
    """It dies after the transaction, before it sees that its record is gone; its message comes again."""

    class Interrupted(MemoryDecisions):
        world: ReviewWorld
        armed = False

        def commit(self, change: ReviewChange) -> Any:
            if self.armed and change.decision.review_key == "evt1" and change.decision.points:
                self.armed = False
                # Another worker learns of both names first, while this one has posted and not yet said so.
                self.world.hears(**BY_BOTH)
                raise RuntimeError("killed")
            return super().commit(change)

    decisions = Interrupted()
    world = decisions.world = ReviewWorld(decisions=decisions)
    world.hears()
    decisions.armed = True
    with pytest.raises(RuntimeError):
        world.hears(**BY_EVENT)
    world.hears(**BY_EVENT)
    assert world.balance() == 50
    assert world.decision("evt1").review_key == KEY


RICHER = ReviewRule(points=20, text_points=30, media_points=10)


@pytest.mark.parametrize(
    "told", list(permutations([STARS, {}, {"has_media": True}])), ids=lambda told: "-".join(str(len(t)) for t in told)
)
def test_the_rating_and_the_review_end_at_the_better_of_both(told: tuple[dict[str, Any], ...]) -> None:
    """R108: the difference is paid, never both in full."""
    world = ReviewWorld(RICHER)
    for said in (*told, *told):
        world.hears(**said)
    assert world.balance() == 60
    assert world.decision().points == 60
    assert sum(world.moved()) == 60


OTHER_ADDRESS: dict[str, Any] = {"email": "bill.joel@klaviyo-demo.com", "way": ReviewWay.FLOW}


def test_whoever_was_decided_on_first_is_paid_whatever_address_is_told_later() -> None:
    """R108: a flow names the profile's address, the review may name another; both parts go to one member."""
    world = ReviewWorld(RICHER)
    first = world.hears(**STARS)
    later = world.hears(**OTHER_ADDRESS)
    assert (later.outcome, later.points, later.member_id) == ("awarded", 30, first.member_id)
    assert (world.balance(), world.balance(OTHER_ADDRESS["email"])) == (50, 0)
    world.hears(status="rejected", updated_at=WRITTEN + timedelta(hours=1))
    world.hears(**OTHER_ADDRESS, status="published", updated_at=WRITTEN + timedelta(hours=2))
    assert (world.balance(), world.balance(OTHER_ADDRESS["email"])) == (50, 0)


def test_a_member_that_is_merged_meanwhile_is_paid_where_it_went() -> None:
    """W13: and its points are taken back there."""
    world = ReviewWorld(RICHER)
    ending = world.hears(**STARS).member_id
    staying = world.hears(review_key="r2", **OTHER_ADDRESS, text_digest="another").member_id
    MergeMembers(world.ledger)(world.program, MemberId(ending), MemberId(staying), actor="operator")
    assert world.hears().points == 30
    assert world.balance() == world.balance(OTHER_ADDRESS["email"]) == 100
    back = world.hears(status="rejected", updated_at=WRITTEN + timedelta(hours=1))
    assert (back.outcome, back.points, world.balance()) == ("taken_back", -50, 50)


def test_a_rating_that_does_not_earn_is_followed_by_a_review_that_does() -> None:
    world = ReviewWorld(ReviewRule(stars_only=False, min_characters=20))
    assert world.hears(**STARS).code == "stars_only"
    assert world.hears(text_length=5).code == "too_short"
    assert world.hears(**STARS).outcome == "refused"
    assert world.decision().code == "too_short"
    assert world.hears().outcome == "awarded"
    assert world.hears(**STARS).outcome == "repeated"
    assert world.moved() == [50]


def test_what_a_flow_paid_is_not_topped_up_by_the_rule() -> None:
    """A flow that gives points for a review uses the review's own key (R136)."""
    paid = ReviewWorld()
    first = paid.hears()
    world = ReviewWorld(ReviewRule(points=500), store=paid.store)
    assert world.hears().outcome == "repeated"
    decision = world.decision()
    assert (decision.points, decision.rule_version, decision.entry_id) == (50, 0, first.entry_id)
    assert world.hears(has_media=True).outcome == "repeated"
    assert world.moved() == [50]


def test_a_decision_that_was_not_carried_out_is_carried_out_by_the_next_message() -> None:
    """A worker died between the two; whatever is told of the review next, the points come, and once."""

    class Dying(MemoryDecisions):
        dies = True

        def commit(self, change: ReviewChange) -> Any:
            stored = super().commit(change)
            if self.dies and change.decision.to_post:
                self.dies = False
                raise RuntimeError("killed")
            return stored

    world = ReviewWorld(decisions=Dying())
    with pytest.raises(RuntimeError):
        world.hears()
    assert (world.balance(), world.decision().to_post) == (0, 50)
    world.hears(verified=False)
    assert (world.balance(), world.decision().outcome, world.moved()) == (50, Outcome.AWARDED, [50])
