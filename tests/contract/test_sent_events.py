"""Figures of what Klaviyo has taken: added up by type, in one write, and never in anybody's way (R96)."""

from __future__ import annotations

from datetime import timedelta

from loyalty.adapters.dynamodb.sent_events import DynamoSentEvents
from loyalty.delivery_ports import Sent, SentEvents
from loyalty.domain.identity import ProgramSlug
from tests.contract.storage import Storage, TableStorage
from tests.fakes.clocks import START
from tests.fakes.memory_oauth import MemorySentEvents
from tests.metering import MeteredClient

CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")


def figures(storage: Storage) -> SentEvents:
    if isinstance(storage, TableStorage):
        return DynamoSentEvents(storage.client, storage.table)
    return MemorySentEvents()


def test_events_add_up_by_type_and_the_last_time_stays(storage: Storage) -> None:
    sent, later = figures(storage), START + timedelta(hours=1)
    assert sent.of(CANDLES) == {}
    sent.add(CANDLES, {"points_expired": 2, "points_adjusted_up": 998}, START)
    sent.add(CANDLES, {"points_adjusted_up": 2}, later)
    sent.add(SOAPS, {"points_expired": 1}, later)
    assert sent.of(CANDLES) == {"points_expired": Sent(2, START), "points_adjusted_up": Sent(1000, later)}
    assert sent.of(SOAPS) == {"points_expired": Sent(1, later)}


def test_a_run_costs_one_write_unit_whatever_it_sent(table_storage: TableStorage) -> None:
    client = MeteredClient(table_storage.client)
    sent = DynamoSentEvents(client, table_storage.table)  # type: ignore[arg-type]
    sent.add(CANDLES, {f"type_{number}": 40 for number in range(15)}, START)
    assert 0 < client.used.writes <= 1


def test_figures_that_cannot_be_kept_stop_nobody(table_storage: TableStorage) -> None:
    DynamoSentEvents(table_storage.client, "elsewhere").add(CANDLES, {"points_expired": 1}, START)
