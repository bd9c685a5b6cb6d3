"""What a posting costs in capacity units, all indexes included, counted by the emulator; rises fail.

The figures stand in docs/data-model.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loyalty.adapters.dynamodb import keys
from loyalty.domain.identity import Address, Email, MemberId
from loyalty.domain.ledger.commands import (
    Action,
    Adjust,
    Command,
    CommandKey,
    Earn,
    Narrative,
    Notify,
    Pend,
    PlaceHold,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.entry import Entry, Source
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from tests.builders import SARAH, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.item_size import item_size, write_units
from tests.metering import Units
from tests.postings import OTHERS, POSTINGS, Till, inactive, measured

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.emulator

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "data-model.md"
MOST_WRITES, MOST_READS = 10, 2


@pytest.fixture
def till(emulated_dynamodb: DynamoDBClient, new_table: str) -> Till:
    return Till(emulated_dynamodb, new_table)


def documented() -> dict[str, tuple[float, float]]:
    """The table of figures in the document: posting, write units, read units."""
    rows = re.findall(r"^\| ([^|]+?) +\| +(\d+) \| +(\d+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (float(writes), float(reads)) for name, writes, reads in rows}


@pytest.mark.parametrize("name", POSTINGS)
def test_no_posting_costs_more_than_ten_write_and_two_read_units(till: Till, name: str) -> None:
    units = measured(till, name)
    assert units.writes <= MOST_WRITES
    assert units.reads <= MOST_READS
    assert documented()[name] == (units.writes, units.reads)


@pytest.mark.parametrize("name", OTHERS)
def test_everything_else_costs_what_is_documented(till: Till, name: str) -> None:
    units = measured(till, name)
    assert documented()[name] == (units.writes, units.reads)


def test_the_document_lists_these_and_no_others() -> None:
    assert set(documented()) == {*POSTINGS, *OTHERS}


def test_the_dearest_postings_are_measured_at_their_dearest(till: Till) -> None:
    """Ten units are three items of two, one index entry for the profile, one for the event, two for the due time."""
    inactive(till)
    till.told()
    receipt = till.post(Earn(100))
    member = till.item(keys.member(till.program.slug, receipt.member_id))
    entry = till.item(keys.entry(till.program.slug, receipt.member_id, receipt.seq))
    assert {"feed_pk", "due_pk"} <= set(member)
    assert entry["delivery"] == "owed"
    assert write_units(member) == write_units(entry) == 2
    assert item_size(entry) > 800


# History and lots


def a_history(program: Program, member_id: MemberId, length: int, *, days: int) -> tuple[Member, list[Entry]]:
    """A member that earned once a day for so many days, then again and again on the last one."""
    clock, randomness = FixedClock(), SeededRandomness()
    member, entries = Member(program.slug, member_id), []
    for number in range(length):
        key = CommandKey("review", f"{number}", natural=True)
        command = Command(key, Earn(50), Narrative(Source("test"), "tester", clock.now()))
        posting = decide(member, command, program.terms, clock.now(), randomness.salt())
        assert isinstance(posting, Posting)
        member = posting.after
        entries.append(posting.entry)
        if number < days - 1:
            clock.advance(days=1)
    return member, entries


def with_email(member: Member) -> Member:
    return replace(member, profile=replace(member.profile, email=SARAH.value))


KINDS: dict[str, Callable[[Till], Action]] = {
    "earn": lambda _: Earn(100),
    "spend": lambda _: Spend(10),
    "adjust": lambda _: Adjust(-10),
    "pend": lambda till: Pend("order", 40, till.clock.now() + timedelta(days=2)),
    "hold": lambda till: PlaceHold("cart", 10, till.clock.now() + timedelta(days=2)),
    "notice": lambda _: Notify("anniversary"),
}


@dataclass(frozen=True)
class Cost:
    """What a posting used, and how much of that was the write of the member's item, by its size."""

    units: Units
    member: int

    @property
    def rest(self) -> tuple[float, float]:
        """What it would cost whatever the size of the member."""
        return self.units.writes - self.member, self.units.reads


def costs(till: Till, length: int, *, days: int) -> dict[str, Cost]:
    """What postings cost a member with such a history."""
    till.program = a_program(terms=Terms(expiry=AfterEarning(Period(months=24))))
    member_id = till.program.member_id(Email(SARAH.value))
    member, entries = a_history(till.program, member_id, length, days=days)
    till.clock.advance(days=days)
    till.load(with_email(member), entries)
    address, original = Address("member", member_id), entries[-1]
    actions = {name: action(till) for name, action in KINDS.items()} | {"reverse": Reverse(original)}
    found = {}
    for name, action in actions.items():
        till.told()
        sizes = [write_units(till.item(keys.member(till.program.slug, member_id)))]
        units = till.units_of(partial(Till.post, action=action, address=address))
        sizes.append(write_units(till.item(keys.member(till.program.slug, member_id))))
        found[name] = Cost(units, max(sizes))
    assert len(till.item(keys.member(till.program.slug, member_id))["lots"]) >= days
    return found


def test_history_costs_nothing(emulated_dynamodb: DynamoDBClient, two_tables: tuple[str, str]) -> None:
    """The same at 10 and at 5,000 entries (docs/data-model.md): a decision reads one item, whatever lies behind it."""
    short = costs(Till(emulated_dynamodb, two_tables[0]), 10, days=10)
    long = costs(Till(emulated_dynamodb, two_tables[1]), 5_000, days=10)
    assert long == short
    assert all(cost.units.writes <= MOST_WRITES and cost.units.reads <= MOST_READS for cost in long.values())


def test_lots_cost_by_the_kilobyte_and_nothing_else(
    emulated_dynamodb: DynamoDBClient, two_tables: tuple[str, str]
) -> None:
    """At 100 lots, as many as there can be, the member's item is a kilobyte or two larger, and that is all."""
    one = costs(Till(emulated_dynamodb, two_tables[0]), 99, days=1)
    hundred = costs(Till(emulated_dynamodb, two_tables[1]), 99, days=99)
    assert {name: cost.rest for name, cost in hundred.items()} == {name: cost.rest for name, cost in one.items()}
    assert {cost.member for cost in one.values()} == {2}
    assert {cost.member for cost in hundred.values()} <= {4, 6}


@pytest.fixture
def two_tables(new_table: str, another_table: str) -> tuple[str, str]:
    return new_table, another_table
