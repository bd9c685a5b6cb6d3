"""Item forms: every object comes back as it was, through DynamoDB's typed JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given

from loyalty.adapters.dynamodb.codec import MEMBER_ATTRIBUTES, delivery_of, entry_item, entry_of, member_item, member_of
from loyalty.adapters.dynamodb.key_record_item import record_item, record_of
from loyalty.adapters.dynamodb.typed_json import plain, wire
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.amounts import AMOUNT_NAMES
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.member import Member
from loyalty.ports import KeyRecord
from tests.unit.adapters.dynamodb.shapes import entries, members, records

CANDLES = ProgramSlug("candles")


def stored(item: dict[str, Any]) -> dict[str, Any]:
    """The item after a trip to the table and back."""
    return plain(wire(item))


@given(members)
def test_a_member_comes_back(member: Member) -> None:
    assert member_of(stored(member_item(member))) == member


@given(members)
def test_a_member_writes_only_attributes_that_it_can_remove_again(member: Member) -> None:
    """A new state replaces an old one by setting what it has and removing the rest of this list."""
    assert set(member_item(member)) <= set(MEMBER_ATTRIBUTES)


@given(members)
def test_amounts_that_are_zero_take_no_room(member: Member) -> None:
    item = member_item(member)
    assert {name for name in AMOUNT_NAMES if name in item} == set(member.amounts.non_zero())


@given(entries)
def test_an_entry_comes_back(entry: Entry) -> None:
    assert entry_of(stored(entry_item(entry))) == entry


@given(entries)
def test_an_entry_comes_back_with_its_numbers_kinds(entry: Entry) -> None:
    """3.0 and 3 are equal to Python and different to a hash."""
    again = entry_of(stored(entry_item(entry)))
    if entry.private is not None:
        assert again.private is not None
        assert again.private.digest == entry.private.digest


@given(entries)
def test_an_erased_entry_comes_back_without_words(entry: Entry) -> None:
    """R25: erasure removes one attribute and nothing else."""
    item = stored(entry_item(entry))
    item.pop("private", None)
    assert entry_of(item) == replace(entry, private=None)


@given(entries)
def test_an_entrys_delivery_can_be_read_alone(entry: Entry) -> None:
    assert delivery_of(stored(entry_item(entry))) == entry.delivery


@given(records())
def test_a_record_comes_back(record: KeyRecord) -> None:
    assert record_of(stored(record_item(CANDLES, record))) == record


@given(records())
def test_only_a_callers_record_has_a_time_to_live(record: KeyRecord) -> None:
    assert ("expires_at" in record_item(CANDLES, record)) is not record.natural
