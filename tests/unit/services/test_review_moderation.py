"""Moderation: points wait for publication, follow the newest status, and never move twice for one change."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from loyalty.domain.ledger.commands import Earn, Spend
from loyalty.domain.ledger.terms import Overdraft, Terms
from loyalty.domain.review_rule import AwardOn, ReviewRule
from loyalty.domain.reviews import ReviewWay
from tests.builders import SARAH, a_command
from tests.review_world import ReviewWorld
from tests.reviews import WRITTEN

ON_PUBLICATION = ReviewRule(award_on=AwardOn.PUBLICATION)


def status(word: str, hour: int, reason: str = "") -> dict[str, Any]:
    """What polling finds: a status, and when the review was changed last."""
    at = WRITTEN + timedelta(hours=hour)
    return {"way": ReviewWay.POLL, "status": word, "updated_at": at, "status_reason": reason}


def test_a_review_waits_for_its_publication_and_then_earns_once() -> None:
    world = ReviewWorld(ON_PUBLICATION)
    waiting = world.hears()
    assert (waiting.outcome, waiting.code, waiting.counts) == ("waiting", "awaiting_publication", {"ReviewsWaiting": 1})
    assert world.decision().fix
    awarded = world.hears(**status("published", 1))
    assert (awarded.outcome, awarded.points, world.balance()) == ("awarded", 50, 50)
    assert world.hears(**status("featured", 2)).outcome == "repeated"
    assert world.moved() == [50]
    assert (world.decision().code, world.decision().message, world.decision().status) == ("", "", "featured")


def test_the_status_that_the_webhook_tells_is_that_at_submission() -> None:
    """docs/klaviyo.md 6: it is never updated; a redelivery after the publication takes nothing away."""
    world = ReviewWorld(ON_PUBLICATION)
    world.hears(**status("published", 1))
    assert world.hears(status="pending").outcome == "repeated"
    assert (world.decision().status, world.balance()) == ("published", 50)


@pytest.mark.parametrize("way", [ReviewWay.FLOW, ReviewWay.WEBHOOK])
def test_a_flow_that_waited_for_days_does_not_undo_a_rejection(way: ReviewWay) -> None:
    """R136: what it tells is the status at submission, whatever time it takes that for; in either order."""
    late: dict[str, Any] = {"way": way, "status": "published", "submitted_at": WRITTEN + timedelta(days=7)}
    for told in permutations([late, status("rejected", 1)]):
        world = ReviewWorld()
        for said in (*told, late):
            world.hears(**said)
        assert (world.decision().status, world.balance()) == ("rejected", 0)


def test_a_review_published_at_once_earns_at_once() -> None:
    assert ReviewWorld(ON_PUBLICATION).hears(status="published").outcome == "awarded"


@pytest.mark.parametrize(("word", "code"), [("rejected", "review_rejected"), ("unpublished", "review_unpublished")])
def test_a_review_that_is_never_published_earns_nothing(word: str, code: str) -> None:
    world = ReviewWorld(ON_PUBLICATION)
    world.hears()
    refused = world.hears(**status(word, 1))
    assert (refused.outcome, refused.code, world.balance()) == ("refused", code, 0)


def test_a_rejected_review_gives_its_points_back_with_the_reason() -> None:
    world = ReviewWorld()
    world.hears()
    back = world.hears(**status("rejected", 1, "fake"))
    assert (back.outcome, back.code, back.points) == ("taken_back", "review_rejected", -50)
    assert back.counts == {"ReviewsTakenBack": 1, "PointsTakenBack": 50}
    assert world.moved() == [50, -50]
    entry = world.entries()[1]
    assert (entry.event_type, entry.effect.reverses) == ("points_deducted_review", world.entries()[0].id)
    assert entry.private
    assert entry.private.reason == "Review rejected: fake"
    assert entry.private.details == {
        "review_id": world.decision().review_key,
        "review_status": "rejected",
        "rejection_reason": "fake",
    }
    again = world.hears(**status("rejected", 1, "fake"))
    assert (again.outcome, again.counts) == ("taken_back", {"DuplicatesIgnored": 1})
    assert (world.moved(), world.decision().points, world.decision().entry_id) == ([50, -50], 0, "")


def test_a_rejected_review_keeps_its_points_where_the_rule_says_so() -> None:
    world = ReviewWorld(ReviewRule(take_back_rejected=False))
    world.hears()
    assert world.hears(**status("rejected", 1)).outcome == "repeated"
    assert world.balance() == 50


@pytest.mark.parametrize(("rule", "left"), [(ReviewRule(), 50), (ReviewRule(take_back_unpublished=True), 0)])
def test_a_review_taken_off_the_store_gives_points_back_only_if_the_rule_says_so(rule: ReviewRule, left: int) -> None:
    world = ReviewWorld(rule)
    world.hears()
    world.hears(**status("unpublished", 1))
    assert world.balance() == left


def test_points_follow_the_newest_status_back_and_forth() -> None:
    """Each change once, however often it is told."""
    world = ReviewWorld()
    world.hears()
    for hour, word in enumerate(("rejected", "published", "rejected", "published"), start=1):
        world.hears(**status(word, hour))
        world.hears(**status(word, hour))
    assert world.moved() == [50, -50, 50, -50, 50]
    assert (world.decision().outcome, world.decision().points, world.decision().turn) == ("awarded", 50, 2)


CHANGES = (status("pending", 0), status("published", 1), status("rejected", 2), status("published", 3))


@pytest.mark.parametrize("rule", [ReviewRule(), ON_PUBLICATION], ids=["submission", "publication"])
@pytest.mark.parametrize("last", range(1, 5))
def test_in_whatever_order_changes_are_told_the_newest_decides(rule: ReviewRule, last: int) -> None:
    """Late news of an old status moves nothing back."""
    ends = set()
    for told in permutations(CHANGES[:last]):
        world = ReviewWorld(rule)
        for change in told:
            world.hears(**change)
        ends.add((world.balance(), world.decision().status))
    pays = last in {2, 4} or (last == 1 and rule is not ON_PUBLICATION)
    assert ends == {(50 if pays else 0, CHANGES[last - 1]["status"])}


def test_of_two_statuses_in_one_second_the_rejection_counts_whoever_comes_first() -> None:
    for told in permutations([status("published", 1), status("rejected", 1), status("pending", 1)]):
        world = ReviewWorld()
        for change in told:
            world.hears(**change)
        assert (world.decision().status, world.balance()) == ("rejected", 0)


def test_a_review_that_is_rejected_when_it_is_first_heard_of_earns_nothing() -> None:
    world = ReviewWorld()
    assert world.hears(**status("rejected", 1)).outcome == "refused"
    assert world.hears().outcome == "refused"
    assert world.store.written == {}


def test_points_that_are_spent_stay_where_the_program_refuses_overdrafts_and_the_merchant_is_told() -> None:
    """W1, W8."""
    world = ReviewWorld()
    world.hears()
    world.ledger.post(world.program, SARAH, a_command(Spend(20)))
    told = world.hears(**status("rejected", 1))
    assert (told.code, world.balance()) == ("take_back_refused", 30)
    decision = world.decision()
    assert (decision.outcome, decision.points, decision.code) == ("awarded", 50, "take_back_refused")
    assert "overdraft" in decision.fix


def test_what_could_be_taken_back_of_a_rating_and_its_review_comes_back_with_the_publication() -> None:
    """W1, W8: paid in two parts, spent so far that only one of them can go; each part moves once each way."""
    world = ReviewWorld(ReviewRule(points=20, text_points=30))
    world.hears(text_length=0)
    world.hears()
    world.ledger.post(world.program, SARAH, a_command(Spend(10)))
    for _ in range(3):
        assert world.hears(**status("rejected", 1)).code == "take_back_refused"
        assert (world.balance(), world.decision().points, world.decision().is_settled) == (10, 20, True)
    assert world.moved() == [20, 30, -10, -30]
    for _ in range(2):
        world.hears(**status("published", 2))
        assert (world.balance(), world.decision().points, world.decision().code) == (40, 50, "")
    world.ledger.post(world.program, SARAH, a_command(Earn(10, rule="bonus")))
    assert world.hears(**status("rejected", 3)).outcome == "taken_back"
    assert (world.balance(), world.decision().points) == (0, 0)


def test_a_rejected_review_that_keeps_its_points_gains_none_by_what_more_it_is_worth() -> None:
    """W8: the better review and its rejection are told at once, and the rating's points are spent."""
    world = ReviewWorld(ReviewRule(points=20, text_points=30))
    world.hears(text_length=0)
    world.ledger.post(world.program, SARAH, a_command(Spend(20)))
    for _ in range(3):
        assert world.hears(**status("rejected", 1)).code == "take_back_refused"
    assert world.balance() == 0
    assert world.hears(**status("published", 2)).points == 30


@pytest.mark.parametrize(("overdraft", "left"), [(Overdraft.FLOOR_AT_ZERO, 0), (Overdraft.ALLOW_NEGATIVE, -20)])
def test_spent_points_are_taken_back_as_the_program_says(overdraft: Overdraft, left: int) -> None:
    """W1, W8."""
    world = ReviewWorld(terms=Terms(overdraft=overdraft))
    world.hears()
    world.ledger.post(world.program, SARAH, a_command(Spend(20)))
    assert world.hears(**status("rejected", 1)).outcome == "taken_back"
    assert world.balance() == left


def test_a_refused_review_stays_refused_when_it_is_published() -> None:
    world = ReviewWorld()
    world.hears(verified=False)
    assert world.hears(verified=False, **status("published", 1)).code == "not_verified"
    assert world.decision().status == "published"
