"""DecisionStore: the newest decision on each review that earned nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from loyalty.domain.identity import ProgramSlug
from loyalty.domain.reviews import ReviewDecision
from tests.contract.storage import Storage
from tests.fakes.clocks import START

CANDLES = ProgramSlug("candles")
DECISION = ReviewDecision(
    review_key="7d9f1c52-3b7e-4c57-9a51-6f2f8d1b0c3e",
    outcome="refused",
    code="not_verified",
    message="Klaviyo does not mark this review as verified.",
    rule_version=3,
    event_id="01HF7AYTK76RHR4F17G6DGTRGF",
    member_id="m",
    decided_at=START,
)


def test_a_review_without_a_decision_has_none(storage: Storage) -> None:
    assert storage.decisions.load(CANDLES, "unknown") is None


def test_a_decision_comes_back_as_it_was_saved(storage: Storage) -> None:
    storage.decisions.save(CANDLES, DECISION)
    assert storage.decisions.load(CANDLES, DECISION.review_key) == DECISION


def test_empty_facts_come_back_empty(storage: Storage) -> None:
    """A message nobody could read names no event and no member."""
    unusable = replace(DECISION, outcome="unusable", event_id="", member_id="")
    storage.decisions.save(CANDLES, unusable)
    assert storage.decisions.load(CANDLES, unusable.review_key) == unusable


def test_the_newest_decision_replaces_the_one_before(storage: Storage) -> None:
    later = replace(DECISION, code="rule_disabled", rule_version=4, decided_at=START + timedelta(hours=1))
    storage.decisions.save(CANDLES, DECISION)
    storage.decisions.save(CANDLES, later)
    assert storage.decisions.load(CANDLES, DECISION.review_key) == later


def test_decisions_are_told_apart_by_review_and_program(storage: Storage) -> None:
    storage.decisions.save(CANDLES, DECISION)
    assert storage.decisions.load(CANDLES, f"{DECISION.review_key}#") is None
    assert storage.decisions.load(ProgramSlug("soaps"), DECISION.review_key) is None
