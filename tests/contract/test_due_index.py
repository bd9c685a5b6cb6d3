"""The due index: who needs attention by a time, in shards, in the order of time, and in pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.due_index import DynamoDueIndex
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.commands import Earn, Identify, Spend
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import BirthdayRule, Terms
from loyalty.domain.program import Program
from loyalty.ports import DueMember
from tests.builders import a_program
from tests.contract.storage import Pen, Storage, TableStorage

TERMS = Terms(timezone="Europe/Berlin", expiry=AfterEarning(Period(days=10)), expiry_revision=1)
FOR_EVER = datetime(2100, 1, 1, tzinfo=UTC)
EXPIRY = datetime(2026, 3, 12, 23, 0, tzinfo=UTC)
"""The end of the tenth day after the pen's first, in Berlin."""


@pytest.fixture
def pen(storage: Storage) -> Pen:
    return Pen(storage, a_program(terms=TERMS))


@pytest.fixture
def table_pen(table_storage: TableStorage) -> Pen:
    return Pen(table_storage, a_program(terms=TERMS))


def listed(pen: Pen, until: datetime = FOR_EVER) -> list[DueMember]:
    """Everybody due, all shards one after the other."""
    shards = range(keys.DUE_SHARDS)
    return [each for shard in shards for each in pen.storage.due.due(shard, until, after="", limit=100)]


def corrected(pen: Pen, member_id: MemberId, **terms: Any) -> list[datetime]:
    """When the member is due after correcting it to other terms."""
    pen.program = replace(pen.program, terms=replace(pen.program.terms, **terms))
    assert pen.storage.due.correct(pen.program, member_id) == 0
    return [each.due_at for each in listed(pen) if each.member_id == member_id]


def test_nobody_is_due_in_an_empty_store(pen: Pen) -> None:
    assert listed(pen) == []


def test_a_member_is_due_from_its_very_moment_on(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    assert listed(pen, EXPIRY - timedelta(milliseconds=1)) == []
    (due,) = listed(pen, EXPIRY)
    assert (due.program, due.member_id, due.due_at) == (pen.program.slug, pen.id_of("sarah"), EXPIRY)


def test_everybody_is_in_one_shard(pen: Pen) -> None:
    ids = [pen.write(f"customer{number}", Earn(10)).after.member_id for number in range(12)]
    shards = {
        each.member_id: shard
        for shard in range(keys.DUE_SHARDS)
        for each in pen.storage.due.due(shard, FOR_EVER, after="", limit=100)
    }
    assert shards == {member_id: keys.shard(member_id, keys.DUE_SHARDS) for member_id in ids}
    assert len(listed(pen)) == len(ids)


def same_shard(pen: Pen, count: int) -> list[str]:
    """Names of members who meet in the first one's shard."""
    wanted = keys.shard(pen.id_of("n0"), keys.DUE_SHARDS)
    every = (f"n{number}" for number in range(10_000))
    return list(islice((name for name in every if keys.shard(pen.id_of(name), keys.DUE_SHARDS) == wanted), count))


def test_a_shard_is_read_soonest_first_in_pages_that_go_on_where_the_last_one_ended(pen: Pen) -> None:
    names = same_shard(pen, 7)
    shard = keys.shard(pen.id_of("n0"), keys.DUE_SHARDS)
    for name in names[3:]:
        pen.write(name, Earn(10))
    pen.later(days=1)
    for name in names[:3]:
        pen.write(name, Earn(10))
    pages, after = [], ""
    while page := pen.storage.due.due(shard, FOR_EVER, after=after, limit=3):
        pages.append(page)
        after = page[-1].position
    assert [len(page) for page in pages] == [3, 3, 1]
    found = [each for page in pages for each in page]
    assert found == sorted(found, key=lambda each: (each.due_at, each.member_id))
    assert [each.member_id for each in found] == [
        *sorted(pen.id_of(name) for name in names[3:]),
        *sorted(pen.id_of(name) for name in names[:3]),
    ]


def test_a_member_on_whom_nothing_is_due_any_more_is_listed_no_more(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    pen.write("sarah", Spend(10))
    assert listed(pen) == []


def test_a_later_change_moves_a_member(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    pen.later(days=4).write("sarah", Earn(10))
    pen.write("sarah", Spend(10))
    assert [each.due_at for each in listed(pen)] == [EXPIRY + timedelta(days=4)]


def test_correcting_follows_terms_that_changed_without_the_member(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    sarah = pen.id_of("sarah")
    assert corrected(pen, sarah) == [EXPIRY]
    assert corrected(pen, sarah, warning_days=(3,)) == [EXPIRY - timedelta(days=4)]
    assert corrected(pen, sarah, warning_days=(1,)) == [EXPIRY - timedelta(days=2)]
    assert corrected(pen, sarah, timezone="UTC") == [EXPIRY - timedelta(days=2) + timedelta(hours=1)]
    assert pen.member("sarah").version == 1


def test_correcting_puts_in_whoever_is_due_and_takes_out_whoever_is_not(pen: Pen) -> None:
    """R169: a program switches birthday points on, and off again."""
    pen.write("sarah", Identify({"birthday": "1990-06-15"}, Standing.MEMBER))
    sarah = pen.id_of("sarah")
    assert listed(pen) == []
    assert corrected(pen, sarah, birthday=BirthdayRule(100)) == [datetime(2026, 6, 14, 22, tzinfo=UTC)]
    assert corrected(pen, sarah, birthday=BirthdayRule(100)) == [datetime(2026, 6, 14, 22, tzinfo=UTC)]
    assert corrected(pen, sarah, birthday=BirthdayRule()) == []


def test_correcting_nobody_is_no_error(pen: Pen) -> None:
    assert pen.storage.due.correct(pen.program, MemberId("nobody")) == 0
    assert listed(pen) == []


class Overtaken:
    """A client whose reader is overtaken by another writer right after reading."""

    def __init__(self, client: Any, pen: Pen) -> None:
        self.client = client
        self.pen = pen

    def get_item(self, **request: Any) -> Any:
        answer = self.client.get_item(**request)
        self.pen.later(days=2).write("sarah", Spend(10))
        return answer

    def update_item(self, **request: Any) -> Any:
        return self.client.update_item(**request)


def test_correcting_never_undoes_what_was_written_meanwhile(table_storage: TableStorage, table_pen: Pen) -> None:
    """The member spends everything between the correction's read and its write."""
    table_pen.write("sarah", Earn(10))
    other: Program = replace(table_pen.program, terms=replace(TERMS, warning_days=(3,)))
    overtaken: Any = Overtaken(table_storage.client, table_pen)
    assert DynamoDueIndex(overtaken, table_storage.table).correct(other, table_pen.id_of("sarah")) == 0
    assert listed(table_pen) == []
