"""What people put right by hand: undoing entries (W8), merging members (W13)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty.contracts.corrections import FindForm, MergeForm, UndoForm, UndoneDocument
from loyalty.domain.errors import KeyReused, NotFound, Rejected
from loyalty.domain.identity import Email
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.commands import Adjust, Earn, Spend
from loyalty.domain.ledger.entry import Entry, EntryKind, Source
from loyalty.domain.ledger.terms import Overdraft
from loyalty.domain.review_rule import ReviewLimit, ReviewRule
from loyalty.services.correct_members import CorrectMembers
from loyalty.services.merge_members import MergeMembers
from tests.builders import BILL, SARAH
from tests.fakes.memory_decisions import MemoryDecisions
from tests.review_world import ReviewWorld
from tests.worlds import World


@pytest.fixture
def world() -> World:
    return World()


def undo(world: World, entry_id: str, points: int | None = None, key: str = "", **more: Any) -> UndoneDocument:
    form = UndoForm(entry_id=entry_id, points=points, reason=more.pop("reason", "A mistake"))
    email = more.pop("email", SARAH.value)
    service = CorrectMembers(world.ledger, MemoryDecisions())
    return service.undo(world.program, email, form, key=key, actor="anna", source=Source("api"))


def journal(world: World) -> list[Entry]:
    return list(world.store.journal(world.program.slug, world.program.member_id(Email(SARAH.value))))


def merge(world: World, ending: str, into: str) -> str:
    return CorrectMembers(world.ledger, MemoryDecisions()).merge(
        world.program, ending, MergeForm(into=into), actor="anna"
    )


def test_points_given_by_mistake_are_taken_back_with_a_trail(world: World) -> None:
    """W8: who did it, why, and what it undid; Klaviyo hears of points taken."""
    earned = world.does(SARAH, Earn(50))
    done = undo(world, earned.entry_id, reason="Given twice")
    assert (done.points, done.balance, done.replayed) == (-50, 0, False)
    entry = journal(world)[-1]
    assert entry.private is not None
    assert (entry.kind, entry.effect.reverses, entry.actor, entry.private.reason, entry.event_type) == (
        EntryKind.REVERSE,
        earned.entry_id,
        "anna",
        "Given twice",
        "points_adjusted_down",
    )


@pytest.mark.parametrize("action", [Spend(30), Adjust(-30)])
def test_points_taken_by_mistake_are_given_back(world: World, action: Spend | Adjust) -> None:
    """W8: and Klaviyo hears of points given."""
    world.does(SARAH, Earn(50))
    done = undo(world, world.does(SARAH, action).entry_id)
    assert (done.points, done.balance) == (30, 50)
    assert journal(world)[-1].event_type == "points_adjusted_up"


def test_a_request_without_a_key_names_itself(world: World) -> None:
    """W5: sent again after a lost answer it is answered again, whatever its reason says now."""
    earned = world.does(SARAH, Earn(50))
    first = undo(world, earned.entry_id, 20)
    again = undo(world, earned.entry_id, 20, reason="The same, worded otherwise")
    assert again == first.model_copy(update={"replayed": True})
    rest = undo(world, earned.entry_id)
    assert (rest.points, rest.balance) == (-30, 0)
    assert undo(world, earned.entry_id) == rest.model_copy(update={"replayed": True})
    assert len(journal(world)) == 3


def test_with_keys_the_same_part_may_be_undone_twice(world: World) -> None:
    earned = world.does(SARAH, Earn(50))
    assert undo(world, earned.entry_id, 20, "one").balance == 30
    assert undo(world, earned.entry_id, 20, "two").balance == 10
    assert undo(world, earned.entry_id, 20, "two").replayed
    with pytest.raises(KeyReused):
        undo(world, earned.entry_id, 10, "two")
    with pytest.raises(Rejected) as refused:
        undo(world, earned.entry_id, 20, "three")
    assert refused.value.code == "exceeds_original"


def test_spent_points_are_not_taken_back_unless_the_program_says_how(world: World) -> None:
    """W1: the overdraft terms hold here too."""
    earned = world.does(SARAH, Earn(50))
    world.does(SARAH, Spend(40))
    with pytest.raises(Rejected) as refused:
        undo(world, earned.entry_id)
    assert refused.value.code == "insufficient_points"
    world.program = replace(world.program, terms=replace(world.program.terms, overdraft=Overdraft.FLOOR_AT_ZERO))
    assert undo(world, earned.entry_id).balance == 0


def test_nobody_undoes_what_is_not_the_members(world: World) -> None:
    earned = world.does(SARAH, Earn(50))
    world.does(BILL, Earn(50))
    with pytest.raises(Rejected) as refused:
        undo(world, earned.entry_id, email=BILL.value)
    assert refused.value.code == "entry_of_another_member"
    with pytest.raises(NotFound) as unknown:
        undo(world, f"{earned.entry_id[:-1]}9")
    assert unknown.value.code == "unknown_entry"
    with pytest.raises(NotFound) as nobody:
        undo(world, earned.entry_id, email="nobody@klaviyo-demo.com")
    assert nobody.value.code == "unknown_member"


def test_two_members_become_one_and_once(world: World) -> None:
    """W13: the sum of the points, found by either address; a repeat finds it done."""
    world.does(SARAH, Earn(50))
    world.does(BILL, Earn(20))
    staying = merge(world, BILL.value, SARAH.value)
    assert merge(world, BILL.value, SARAH.value) == staying
    assert merge(world, SARAH.value, BILL.value) == staying
    for address in (SARAH, BILL):
        member = world.ledger.find(world.program, address)
        assert member is not None
        assert (member.member_id, member.amounts.available) == (staying, 70)


def test_limits_on_reviews_count_the_person() -> None:
    """W13, R105: not the accounts that the person had; a repeat does what was left of a merge that broke off."""
    reviews = ReviewWorld(ReviewRule(limit=ReviewLimit(2, CapPeriod.YEAR)))
    for number, email in enumerate((SARAH.value, BILL.value)):
        reviews.hears(review_key=f"{number:032x}", event_id=f"e{number}", email=email)
    ledger, program = reviews.ledger, reviews.program
    members = [ledger.locate(program, address).member_id for address in (BILL, SARAH)]
    MergeMembers(ledger)(program, members[0], members[1], actor="anna")
    corrections = CorrectMembers(ledger, reviews.decisions)
    assert corrections.merge(program, BILL.value, MergeForm(into=SARAH.value), actor="anna") == members[1]
    third = reviews.hears(review_key=f"{3:032x}", event_id="e3", email=BILL.value)
    assert (third.outcome, third.code) == ("refused", "period_limit")


def test_members_who_do_not_exist_are_not_merged(world: World) -> None:
    world.does(SARAH, Earn(50))
    for pair in ((SARAH.value, BILL.value), (BILL.value, SARAH.value)):
        with pytest.raises(NotFound) as unknown:
            merge(world, *pair)
        assert unknown.value.code == "unknown_member"


@pytest.mark.parametrize("given", [{}, {"external_id": "7", "phone": "+4930901820"}])
def test_a_member_is_looked_for_by_one_thing(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either external_id or phone"):
        FindForm(**given)
