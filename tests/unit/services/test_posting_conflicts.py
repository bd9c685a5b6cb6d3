"""The one posting path when somebody else is first, and reversals, which meet on one entry (R167, W2, W5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loyalty.domain.errors import Conflict, KeyReused, NotFound, Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import (
    Earn,
    Pend,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import EntryKind
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Overdraft, Terms
from loyalty.ports import Receipt, Redirect
from loyalty.services.merge_members import MergeMembers
from loyalty.services.posting import ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE
from tests.builders import BILL, SARAH, a_program
from tests.fakes.clocks import START
from tests.worlds import World, fails_with


@pytest.fixture
def world() -> World:
    return World()


def test_a_conflict_is_tried_again_on_what_is_there_by_then(world: World) -> None:
    """W2: somebody spends the points between reading and writing; the loser is refused, not overdrawn."""
    world.does(SARAH, Earn(10))
    world.store.before_commits = [lambda: world.does(SARAH, Spend(8))]
    outcome = world.post(SARAH, Spend(8))
    assert isinstance(outcome, Refusal)
    assert outcome.facts == {"available": 2, "points": 8}
    assert world.amounts(SARAH) == Amounts(available=2, earned=10, spent=8)


def test_concurrent_twins_have_one_effect_and_one_answer(world: World) -> None:
    """W5: the twin commits between this one's reading and writing."""
    world.does(SARAH, Earn(10))
    twins: list[Receipt] = []
    world.store.before_commits = [lambda: twins.append(world.does(SARAH, Spend(8), key="cart-7"))]
    assert world.does(SARAH, Spend(8), key="cart-7") == replace(twins[0], replayed=True)
    assert world.amounts(SARAH).available == 2


def test_a_twin_that_comes_while_what_is_due_is_settled_has_one_effect_too(world: World) -> None:
    """W5: this one begins anew, settles what the twin left due at once, and only then finds its answer."""
    world.does(SARAH, Pend("order", 5, START))
    twins: list[Receipt] = []
    world.store.before_commits = [lambda: twins.append(world.does(SARAH, Pend("order", 7, START), key="order-7"))]
    assert world.does(SARAH, Pend("order", 7, START), key="order-7") == replace(twins[0], replayed=True)
    assert world.amounts(SARAH) == Amounts(available=12, earned=12)


@pytest.mark.parametrize("moment", ["at its commit", "before it reads the members"])
def test_twins_of_a_merge_have_one_effect_and_one_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """W13: whoever comes second finds one member where it was told of two, and that is no reason to refuse it."""
    sarah, bill = (world.does(address, Earn(10)).member_id for address in (SARAH, BILL))
    merge = MergeMembers(world.ledger)
    twins: list[Receipt | Refusal] = []

    def overtakes() -> None:
        monkeypatch.undo()
        twins.append(merge(world.program, sarah, bill, actor="operator"))

    def overtaken(program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        overtakes()
        return world.store.find(program, member_id)

    if moment == "at its commit":
        world.store.before_commits = [overtakes]
    else:
        monkeypatch.setattr(world.store, "find", overtaken)
    outcome = merge(world.program, sarah, bill, actor="operator")
    assert isinstance(twins[0], Receipt)
    assert outcome == replace(twins[0], replayed=True)
    assert world.amounts(BILL) == Amounts(available=20, earned=20)


def test_a_newcomers_twins_make_one_member(world: World) -> None:
    twins: list[Receipt] = []
    world.store.before_commits = [lambda: twins.append(world.does(SARAH, Earn(5)))]
    assert world.does(SARAH, Earn(7)).after == Amounts(available=12, earned=12)


def test_conflicts_are_retried_with_growing_pauses_and_then_handed_on(world: World) -> None:
    world.store.before_commits = [fails_with(Conflict("busy")) for _ in range(ATTEMPTS)]
    with pytest.raises(Conflict, match="busy"):
        world.post(SARAH, Earn(5))
    assert world.store.before_commits == []
    assert (FIRST_PAUSE, LONGEST_PAUSE, ATTEMPTS) == (0.02, 0.6, 10)
    assert world.clock.waits == [0.02, 0.04, 0.08, 0.16, 0.32, 0.6, 0.6, 0.6, 0.6]


def test_the_last_attempt_counts(world: World) -> None:
    world.store.before_commits = [fails_with(Conflict("busy")) for _ in range(ATTEMPTS - 1)]
    assert world.does(SARAH, Earn(5)).seq == 1


def test_trouble_with_the_store_is_not_retried_here(world: World) -> None:
    """The adapter has waited as long as makes sense; the caller's own retry carries the same key."""
    world.store.before_commits = [fails_with(Transient("throttled"))]
    with pytest.raises(Transient):
        world.post(SARAH, Earn(5), key="order-7")
    assert world.clock.waits == []
    assert not world.does(SARAH, Earn(5), key="order-7").replayed


def test_a_reversal_is_noted_on_the_entry_it_reverses_and_repeats_from_there(world: World) -> None:
    """R167."""
    original = world.entry(world.does(SARAH, Earn(50)))
    first = world.does(SARAH, Reverse(original, 20), key="refund-1")
    assert (first.kind, first.points) == (EntryKind.REVERSE, -20)
    assert world.does(SARAH, Reverse(original, 20), key="refund-1") == replace(first, replayed=True)
    world.does(SARAH, Reverse(original, 30), key="refund-2")
    assert world.does(SARAH, Reverse(original, 20), key="refund-1") == replace(first, replayed=True)
    assert world.refuses(SARAH, Reverse(original), key="refund-3").code == "already_reversed"
    marks = world.entry(Receipt.of(original)).reversals
    assert [(mark.seq, mark.points) for mark in marks.values()] == [(2, 20), (3, 30)]
    assert world.amounts(SARAH) == Amounts(earned=50, reversed=50)


def test_a_stale_copy_of_the_entry_reverses_no_more_than_is_left(world: World) -> None:
    original = world.entry(world.does(SARAH, Earn(50)))
    world.does(SARAH, Reverse(original, 20))
    assert world.refuses(SARAH, Reverse(original, 31)).facts == {"left": 30}
    assert world.does(SARAH, Reverse(original)).points == -30


def test_a_shortfall_counts_as_reversed(world: World) -> None:
    world.program = a_program(terms=Terms(overdraft=Overdraft.FLOOR_AT_ZERO))
    original = world.entry(world.does(SARAH, Earn(50)))
    world.does(SARAH, Spend(45))
    world.does(SARAH, Reverse(original, 20))
    (mark,) = world.entry(Receipt.of(original)).reversals.values()
    assert mark.points == 20


def test_points_given_back_count_as_reversed(world: World) -> None:
    world.does(SARAH, Earn(50))
    original = world.entry(world.does(SARAH, Spend(45)))
    world.does(SARAH, Reverse(original, 20))
    (mark,) = world.entry(Receipt.of(original)).reversals.values()
    assert mark.points == 20


def test_a_reversals_key_for_another_amount_is_another_request(world: World) -> None:
    original = world.entry(world.does(SARAH, Earn(50)))
    world.does(SARAH, Reverse(original, 20), key="refund-1")
    with pytest.raises(KeyReused):
        world.post(SARAH, Reverse(original, 21), key="refund-1")
    again = world.does(SARAH, Reverse(original, 20), key="refund-2", natural=True)
    assert world.does(SARAH, Reverse(original, 5), key="refund-2", natural=True) == replace(again, replayed=True)


def test_two_reversals_at_the_same_time_never_exceed_the_original(world: World) -> None:
    world.does(SARAH, Earn(100))
    original = world.entry(world.does(SARAH, Earn(50)))
    world.store.before_commits = [lambda: world.does(SARAH, Reverse(original, 40))]
    outcome = world.post(SARAH, Reverse(original, 40))
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.facts) == ("exceeds_original", {"left": 10})


def test_an_entry_is_reversed_only_where_it_was_written(world: World) -> None:
    original = world.entry(world.does(SARAH, Earn(50)))
    world.does(BILL, Earn(50))
    refusal = world.refuses(BILL, Reverse(original))
    assert refusal.code == "entry_of_another_member"
    assert refusal.message == "This entry is not in the journal of this member."


def test_an_entry_of_a_merged_member_is_reversed_with_the_one_who_goes_on(world: World) -> None:
    original = world.entry(world.does(SARAH, Earn(50)))
    world.does(BILL, Earn(50))
    world.merge(SARAH, BILL)
    receipt = world.does(BILL, Reverse(original, 20), key="refund-1")
    assert receipt.after == Amounts(available=80, earned=100, reversed=20)
    assert world.does(BILL, Reverse(original, 20), key="refund-1") == replace(receipt, replayed=True)
    assert world.does(SARAH, Reverse(original)).after == Amounts(available=50, earned=100, reversed=50)


def test_an_entry_that_does_not_exist_cannot_be_reversed(world: World) -> None:
    original = replace(world.entry(world.does(SARAH, Earn(50))), seq=9)
    with pytest.raises(NotFound) as error:
        world.post(SARAH, Reverse(original))
    assert error.value.code == "unknown_entry"


def test_a_mark_without_its_entry_is_reported(world: World) -> None:
    original = world.entry(world.does(SARAH, Earn(50)))
    reversing = world.does(SARAH, Reverse(original), key="refund-1")
    del world.store.written[(world.program.slug, reversing.member_id, reversing.seq)]
    with pytest.raises(Conflict, match="run verify on this member"):
        world.post(SARAH, Reverse(original), key="refund-1")
