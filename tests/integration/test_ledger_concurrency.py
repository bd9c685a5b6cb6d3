"""Many at the same time, on the emulator, with the machine's clock and real jitter: nobody is paid or charged twice.

After each storm an independent reader replays the member's items. A caller stands for a queue or a patient client: on
a retryable error it comes again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.errors import Conflict, KeyReused, Transient
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import Action, Command, Earn, PlaceHold, Reverse, Spend
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from loyalty.ports import Clock, Plan, Receipt
from loyalty.services.merge_members import MergeMembers
from loyalty.services.posting import Ledger
from tests.builders import BILL, SARAH, a_command, a_program
from tests.emulator import THREADS
from tests.fakes.clocks import FixedClock
from tests.integration.chain import Replay, replay

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.emulator

COMINGS = 20
"""How often a caller comes again before it gives up."""


class CountingLedger(DynamoLedger):
    """The real store, counting the transactions that were tried."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        super().__init__(client, table)
        self.tries = 0
        self._counting = threading.Lock()

    def commit(self, plan: Plan) -> None:
        with self._counting:
            self.tries += 1
        super().commit(plan)


@dataclass
class Storm:
    """One program's ledger, and callers that all start at the same moment."""

    client: DynamoDBClient
    table: str
    program: Program
    store: CountingLedger
    clock: Clock

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.store, self.clock, SystemRandomness())

    def post(self, address: Address, action: Action, **command: Any) -> Receipt:
        """A command before the storm."""
        receipt = self.ledger.post(self.program, address, a_command(action, **command), newcomer=True)
        assert isinstance(receipt, Receipt)
        return receipt

    def entry(self, receipt: Receipt) -> Entry:
        entry = self.store.entry(self.program.slug, receipt.member_id, receipt.seq)
        assert entry is not None
        return entry

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """The answers, or refusals by exception, of callers that started together."""
        start = threading.Barrier(len(calls))

        def caller(call: Callable[[], Any]) -> Any:
            start.wait()
            for _ in range(COMINGS):
                try:
                    return call()
                except (Conflict, Transient):
                    continue
                except KeyReused as refused:
                    return refused
            raise AssertionError("a caller was turned away every time")

        with ThreadPoolExecutor(len(calls)) as pool:
            return [done.result() for done in [pool.submit(caller, call) for call in calls]]

    def each(self, count: int, action: Action, *, key: str = "", natural: bool = False) -> list[Any]:
        """Callers with the same action on Sarah, each with a key of its own unless one is given."""
        return self.all_of(a_command(action, key=key, natural=natural) for _ in range(count))

    def all_of(self, commands: Iterable[Command]) -> list[Any]:
        """A caller for each of these commands on Sarah."""
        calls = [partial(self.ledger.post, self.program, SARAH, command, newcomer=True) for command in commands]
        return self.together(*calls)

    def replayed(self, address: Address = SARAH) -> Replay:
        """The member's items, read by the independent reader."""
        member = self.ledger.find(self.program, address)
        assert member is not None
        return replay(self.client, self.table, member.member_id)


@pytest.fixture
def storm(emulated_dynamodb: DynamoDBClient, new_table: str) -> Storm:
    store = CountingLedger(emulated_dynamodb, new_table)
    return Storm(emulated_dynamodb, new_table, a_program(), store, SystemClock())


def receipts(answers: list[Any]) -> list[Receipt]:
    return [answer for answer in answers if isinstance(answer, Receipt)]


def refusals(answers: list[Any]) -> list[str]:
    return [answer.code for answer in answers if isinstance(answer, Refusal)]


def once(answers: list[Any]) -> Receipt:
    """The one answer that all callers got, of which all but one were told that it is a repeat."""
    (first,) = [answer for answer in answers if not answer.replayed]
    assert {replace(answer, replayed=False) for answer in answers} == {first}
    assert isinstance(first, Receipt)
    return first


def test_of_fifty_spenders_exactly_the_ten_that_are_covered_succeed(storm: Storm) -> None:
    """W2, W5."""
    storm.post(SARAH, Earn(100))
    answers = storm.each(THREADS, Spend(10))
    assert len(receipts(answers)) == 10
    assert refusals(answers) == ["insufficient_points"] * 40
    found = storm.replayed()
    assert found.amounts == {"earned": 100, "spent": 100}
    assert found.points == [100, *[-10] * 10]
    assert sorted(receipt.after.available for receipt in receipts(answers)) == list(range(0, 100, 10))


def test_fifty_earnings_of_one_member_all_land(storm: Storm) -> None:
    """The member does not even exist when they start. Some ten tries each is what jitter makes of it."""
    answers = storm.each(THREADS, Earn(7))
    assert storm.store.tries <= 20 * THREADS, storm.store.tries
    assert [receipt.replayed for receipt in receipts(answers)] == [False] * THREADS
    assert sorted(receipt.seq for receipt in answers) == list(range(1, THREADS + 1))
    assert storm.replayed().amounts == {"available": 350, "earned": 350}


@pytest.mark.parametrize("natural", [True, False], ids=["natural key", "caller's key"])
def test_fifty_identical_requests_land_once_and_all_hear_the_same(storm: Storm, natural: bool) -> None:
    """W5: a review that arrives fifty times at once."""
    receipt = once(storm.each(THREADS, Earn(50), key="review-1", natural=natural))
    assert receipt.after.available == 50
    found = storm.replayed()
    assert found.points == [50]
    assert len(found.keys) == 1


def test_twins_of_a_request_that_takes_everything_are_never_refused(storm: Storm) -> None:
    """A twin finds nothing left to spend, because it has been spent: the answer is the first one's, not a refusal."""
    storm.post(SARAH, Earn(100))
    receipt = once(storm.each(20, Spend(100), key="order-1"))
    assert receipt.after.available == 0
    assert storm.replayed().points == [100, -100]


def test_one_key_for_two_requests_is_one_effect_and_one_complaint(storm: Storm) -> None:
    storm.post(SARAH, Earn(1000))
    keys = [f"order-{number}" for number in range(12)]
    commands = [a_command(Spend(points), key=key) for key in keys for points in (10, 20)]
    answers = storm.all_of(commands)
    for pair in zip(answers[::2], answers[1::2], strict=True):
        assert sorted(type(answer).__name__ for answer in pair) == ["KeyReused", "Receipt"]
    spent = -sum(receipt.points for receipt in receipts(answers))
    assert storm.replayed().amounts == {"available": 1000 - spent, "earned": 1000, "spent": spent}


def test_many_pairs_of_twins_at_once_are_one_effect_each(storm: Storm) -> None:
    storm.post(SARAH, Earn(1000))
    commands = [a_command(Spend(10), key=f"order-{number}") for number in range(12) for _ in range(2)]
    answers = storm.all_of(commands)
    for pair in zip(answers[::2], answers[1::2], strict=True):
        once(list(pair))
    assert storm.replayed().points == [1000, *[-10] * 12]


def test_partial_reversals_at_once_never_exceed_the_original(storm: Storm) -> None:
    """R167."""
    original = storm.entry(storm.post(SARAH, Earn(100)))
    storm.post(SARAH, Earn(500))
    answers = storm.each(30, Reverse(original, 10))
    assert len(receipts(answers)) == 10
    assert set(refusals(answers)) == {"already_reversed"}
    found = storm.replayed()
    assert found.amounts == {"available": 500, "earned": 600, "reversed": 100}
    assert found.kinds.count("reverse") == 10


def test_one_reversal_asked_for_many_times_happens_once(storm: Storm) -> None:
    original = storm.entry(storm.post(SARAH, Earn(100)))
    receipt = once(storm.each(20, Reverse(original, 40), key="refund-1"))
    assert receipt.after.available == 60
    assert storm.replayed().points == [100, -40]


def test_points_that_are_over_expire_once_however_many_come(storm: Storm) -> None:
    """R175: every caller finds the same overdue points and wants to post their expiry first."""
    storm.program = a_program(terms=Terms(expiry=AfterEarning(Period(days=10))))
    storm.clock = FixedClock()
    storm.post(SARAH, Earn(100))
    storm.clock = SystemClock()
    fresh = storm.clock.now()
    answers = storm.each(20, Earn(5))
    assert len(receipts(answers)) == 20
    found = storm.replayed()
    assert found.kinds == ["earn", "expire", *["earn"] * 20]
    assert found.amounts == {"available": 100, "earned": 200, "expired": 100}
    assert sum(found.lots.values()) == 100
    assert min(found.lots) > fresh.date().isoformat()


def test_holds_and_spends_never_reserve_the_same_points(storm: Storm) -> None:
    """W7."""
    storm.post(SARAH, Earn(100))
    until = datetime(2099, 1, 1, tzinfo=SystemClock().now().tzinfo)
    commands = [a_command(PlaceHold(f"cart-{number}", 10, until)) for number in range(15)]
    commands += [a_command(Spend(10)) for _ in range(15)]
    answers = storm.all_of(commands)
    assert len(receipts(answers)) == 10
    amounts = storm.replayed().amounts
    assert amounts["earned"] == amounts.get("held", 0) + amounts.get("spent", 0) == 100


def test_a_merge_in_the_middle_of_spending_loses_and_doubles_nothing(storm: Storm) -> None:
    """W13: whoever spends from the member that ends, before or after, spends points that exist once."""
    sarah, bill = (storm.post(address, Earn(60)).member_id for address in (SARAH, BILL))
    merge = MergeMembers(storm.ledger)
    spends = [a_command(Spend(10)) for _ in range(20)]
    answers = storm.together(
        partial(merge, storm.program, sarah, bill, actor="operator"),
        *(partial(storm.ledger.post, storm.program, SARAH, command) for command in spends),
    )
    merged, spent = answers[0], receipts(answers[1:])
    assert isinstance(merged, Receipt)
    # Before the merge 60 points cover six of them, after it whatever is left of 120.
    assert 6 <= len(spent) <= 12
    assert set(refusals(answers[1:])) <= {"insufficient_points"}
    amounts = storm.replayed(BILL).amounts
    assert amounts["earned"] == 120
    assert amounts.get("spent", 0) == 10 * len(spent)
    assert amounts.get("available", 0) == 120 - 10 * len(spent)
    assert replay(storm.client, storm.table, sarah).amounts == {}
