"""Erasure of somebody who wrote reviews (R25): what was said is gone, and no review pays again."""

from __future__ import annotations

import pytest

from loyalty.domain.errors import NotFound
from loyalty.domain.identity import Address
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.review_rule import ReviewLimit, ReviewRule
from loyalty.domain.review_tally import Tally
from loyalty.services.erase_member import EraseMember
from tests.builders import SARAH
from tests.review_world import ReviewWorld

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


def test_somebody_whose_reviews_were_all_refused_can_be_forgotten() -> None:
    """They have no member in the ledger, and a list of decisions all the same."""
    world = ReviewWorld()
    world.hears(verified=False)
    member_id = world.ledger.locate(world.program, SARAH).member_id
    with pytest.raises(NotFound):
        EraseMember(world.ledger, world.decisions)(world.program, member_id, actor="operator")
    assert world.decisions.of_member(world.program.slug, member_id, before="", limit=9) == ([], "")
