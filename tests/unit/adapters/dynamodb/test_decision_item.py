"""Decisions as items: below 1 KB as they really are, and nothing of a person in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from loyalty.adapters.dynamodb.decision_item import decision_item, decision_of, tally_item, tally_of
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.review_rule import ReviewLimit, ReviewRule
from tests.builders import SARAH
from tests.item_size import WRITE_UNIT, item_size
from tests.review_world import ReviewWorld
from tests.reviews import WRITTEN

RULE = ReviewRule(product_limit=ReviewLimit(8, CapPeriod.MONTH), refuse_duplicates=True)
LATER = {"status": "rejected", "status_reason": "profanity_or_inappropriate", "updated_at": WRITTEN + timedelta(days=2)}


def key(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def busy() -> ReviewWorld:
    """Nine reviews of one product, each under two names; the last is one too many, the first was rejected."""
    world = ReviewWorld(RULE)
    for number in range(9):
        at = WRITTEN + timedelta(hours=number)
        names = (f"01HF7AYTK76RHR4F17G6DGTR{number:02d}",)
        world.hears(
            review_key=key(number), submitted_at=at, other_keys=names, status="published", text_digest=key(number) * 2
        )
    world.hears(review_key=key(0), **LATER)
    return world


def test_every_decision_costs_one_unit_to_write(busy: ReviewWorld) -> None:
    decisions = [busy.decision(key(number)) for number in range(9)]
    assert [decision.outcome for decision in decisions] == ["taken_back", *["awarded"] * 7, "refused"]
    for decision in decisions:
        item = decision_item(busy.program.slug, decision)
        assert item_size(item) < WRITE_UNIT
        assert decision_of(item) == decision


def test_a_tally_holds_a_dozen_reviews_in_one_unit(busy: ReviewWorld) -> None:
    member_id = busy.ledger.locate(busy.program, SARAH).member_id
    tally = busy.decisions.tally(busy.program.slug, member_id)
    item = tally_item(busy.program.slug, member_id, tally)
    assert tally_of(item) == tally
    assert item_size(item) * 12 / len(tally.reviews) < WRITE_UNIT


def test_no_item_says_who_wrote_or_what(busy: ReviewWorld) -> None:
    told: list[Any] = [decision_item(busy.program.slug, busy.decision(key(number))) for number in range(9)]
    assert "klaviyo-demo.com" not in repr(told)
    assert "Candle" not in repr(told)
