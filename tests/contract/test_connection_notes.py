"""When a connection last worked: noted about every minute, and never at the expense of the work itself."""

from __future__ import annotations

from datetime import timedelta

from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.connection_ports import LastSeen
from loyalty.domain.identity import ProgramSlug
from tests.contract.storage import TableStorage
from tests.fakes.clocks import START

CANDLES = ProgramSlug("candles")


def notes_of(storage: TableStorage) -> DynamoConnectionNotes:
    return DynamoConnectionNotes(storage.client, storage.table)


def test_what_was_noted_is_seen(table_storage: TableStorage) -> None:
    """R9."""
    notes = notes_of(table_storage)
    assert notes.last_seen(CANDLES) == LastSeen()
    notes.succeeded(CANDLES, START)
    notes.delivered(CANDLES, START + timedelta(seconds=1))
    assert notes.last_seen(CANDLES) == LastSeen(START, START + timedelta(seconds=1))
    assert notes.last_seen(ProgramSlug("soaps")) == LastSeen()


def test_a_minute_of_success_costs_one_write(table_storage: TableStorage) -> None:
    notes = notes_of(table_storage)
    for seconds in (0, 30, 59):
        notes.succeeded(CANDLES, START + timedelta(seconds=seconds))
    assert notes.last_seen(CANDLES).success_at == START
    notes.succeeded(CANDLES, START + timedelta(seconds=60))
    assert notes.last_seen(CANDLES).success_at == START + timedelta(seconds=60)


def test_a_note_that_cannot_be_kept_is_forgotten(table_storage: TableStorage) -> None:
    DynamoConnectionNotes(table_storage.client, "no-such-table").succeeded(CANDLES, START)
    assert notes_of(table_storage).last_seen(CANDLES) == LastSeen()
