"""Erasure of somebody who wrote reviews (R25): what was said is gone, and no review pays again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from loyalty.domain.errors import NotFound
from loyalty.domain.identity import Address
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.review_rule import AwardOn, ReviewLimit, ReviewRule
from loyalty.domain.review_tally import Tally
from loyalty.services.erase_member import EraseMember
from tests.builders import SARAH
from tests.review_world import ReviewWorld
from tests.reviews import WRITTEN

RULE = ReviewRule(limit=ReviewLimit(1, CapPeriod.EVER), refuse_duplicates=True)
OTHER = f"{2:032x}"


def test_after_erasure_reviews_stay_decided_and_tell_nothing() -> None:
    world = ReviewWorld(RULE)
    world.hears()
    world.hears(review_key=OTHER, text_digest="another")
    member_id = world.ledger.locate(world.program, SARAH).member_id
    EraseMember(world.ledger, world.decisions)(world.program, member_id, actor="operator")
    assert world.decisions.of_member(world.program.slug, member_id, before="", limit=9) == ([], "")
    assert world.decisions.tally(world.program.slug, member_id) == Tally()
    assert world.decisions.texts == {}
    assert (world.decision().outcome, world.decision(OTHER).code, world.decision(OTHER).message) == (
        "awarded",
        "period_limit",
        "",
    )


def test_a_review_that_is_told_of_again_after_erasure_pays_nobody() -> None:
    """Neither the erased member nor the new one that its address would lead to."""
    world = ReviewWorld()
    world.hears()
    member_id = world.ledger.locate(world.program, SARAH).member_id
    EraseMember(world.ledger, world.decisions)(world.program, member_id, actor="operator")
    written = len(world.store.written)
    assert world.hears().outcome == "repeated"
    assert len(world.store.written) == written
    assert world.ledger.find(world.program, Address("email", SARAH.value)) is None


@pytest.mark.parametrize(
    ("rule", "first", "later"),
    [
        (ReviewRule(media_points=10), {}, {"has_media": True}),
        (ReviewRule(award_on=AwardOn.PUBLICATION), {}, {"status": "published", "updated_at": WRITTEN}),
        (ReviewRule(), {"verified": False}, {}),
    ],
    ids=["worth more", "published", "verified"],
)
def test_a_review_of_somebody_erased_brings_nobody_back(
    rule: ReviewRule, first: dict[str, Any], later: dict[str, Any]
) -> None:
    """R25: what is told of it afterwards is neither paid nor written down."""
    world = ReviewWorld(replace(rule, refuse_duplicates=True))
    world.hears(review_key=OTHER, text_digest="another", status="published")
    world.hears(**first)
    member_id = world.ledger.locate(world.program, SARAH).member_id
    EraseMember(world.ledger, world.decisions)(world.program, member_id, actor="operator")
    before, written = world.decision(), len(world.store.written)
    world.hears(**later)
    assert (world.decision(), len(world.store.written), world.decisions.texts) == (before, written, {})
    assert world.ledger.find(world.program, Address("email", SARAH.value)) is None


def test_the_next_review_of_somebody_erased_is_a_newcomers() -> None:
    """They may come back, and nothing leads from them to whom they were."""
    world = ReviewWorld()
    world.hears()
    member_id = world.ledger.locate(world.program, SARAH).member_id
    EraseMember(world.ledger, world.decisions)(world.program, member_id, actor="operator")
    assert world.hears(review_key=OTHER).outcome == "awarded"
    assert world.balance() == 50
    assert world.decision(OTHER).member_id != member_id


def test_somebody_whose_reviews_were_all_refused_can_be_forgotten() -> None:
    """They have no member in the ledger, and a list of decisions all the same."""
    world = ReviewWorld()
    world.hears(verified=False)
    member_id = world.ledger.locate(world.program, SARAH).member_id
    with pytest.raises(NotFound):
        EraseMember(world.ledger, world.decisions)(world.program, member_id, actor="operator")
    assert world.decisions.of_member(world.program.slug, member_id, before="", limit=9) == ([], "")
