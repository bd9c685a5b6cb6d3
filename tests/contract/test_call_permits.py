"""Permits: whoever counts, and however many do, nobody calls above a published window (docs/klaviyo.md 2)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from loyalty.adapters.dynamodb.call_permits import DynamoCallPermits
from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.adapters.klaviyo.operations import (
    BULK_CREATE_EVENTS,
    CREATE_EVENT,
    GET_ACCOUNTS,
    IMPORT_PROFILE,
    Operation,
)
from loyalty.adapters.system import SystemClock
from loyalty.delivery_ports import CallPermits
from loyalty.domain.errors import Transient
from loyalty.domain.identity import ProgramSlug
from tests.contract.storage import MemoryStorage, Storage, TableStorage
from tests.fakes.clocks import FixedClock
from tests.metering import MeteredClient

CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")


def workers(storage: Storage, clock: FixedClock, number: int = 2) -> list[CallPermits]:
    """What several workers of one deployment count with; in memory they are one process."""
    if isinstance(storage, TableStorage):
        return [DynamoCallPermits(storage.client, storage.table, clock) for _ in range(number)]
    assert isinstance(storage, MemoryStorage)
    return [CallLimits(clock)] * number


def take(permits: CallPermits, operation: Operation = BULK_CREATE_EVENTS, program: ProgramSlug = CANDLES) -> float:
    return permits.take(program, operation.name, operation.windows)


def test_workers_count_together(storage: Storage) -> None:
    one, other = workers(storage, FixedClock())
    assert [take(each) for each in (one, other) * 5] == [0.0] * 10
    assert 0.9 < take(one) <= 1.002
    assert 0.9 < take(other) <= 1.002


def test_the_second_passes_and_the_minute_stays(storage: Storage) -> None:
    clock = FixedClock()
    one, other = workers(storage, clock)
    for _ in range(15):
        assert [take(each) for each in (one, other) * 5] == [0.0] * 10
        clock.advance(seconds=1.01)
    assert 44 < take(one) < 45
    clock.advance(seconds=45)
    assert take(other) == 0.0


def test_programs_and_operations_have_limits_of_their_own(storage: Storage) -> None:
    one, other = workers(storage, FixedClock())
    assert take(one, GET_ACCOUNTS) == 0.0
    assert take(other, GET_ACCOUNTS) > 0
    assert take(other, GET_ACCOUNTS, SOAPS) == 0.0
    assert take(other, CREATE_EVENT) == 0.0


def test_when_klaviyo_throttles_one_worker_the_others_stay_away_too(storage: Storage) -> None:
    """Earlier tries would be turned away, and count."""
    clock = FixedClock()
    one, other = workers(storage, clock)
    assert take(other, IMPORT_PROFILE) == 0.0
    one.close(CANDLES, IMPORT_PROFILE.name, 30)
    assert take(one, IMPORT_PROFILE) == 30.0
    clock.advance(seconds=2)
    assert take(other, IMPORT_PROFILE) == 28.0
    clock.advance(seconds=28)
    assert take(other, IMPORT_PROFILE) == 0.0


@pytest.mark.parametrize("operation", [BULK_CREATE_EVENTS, IMPORT_PROFILE, CREATE_EVENT], ids=lambda each: each.name)
def test_any_number_of_workers_stays_below_the_windows(storage: Storage, operation: Operation) -> None:
    """Seven workers that all want to call as fast as they can, for a little over two seconds."""
    clock = FixedClock()
    team = workers(storage, clock, 7)
    made: list[float] = []
    for _ in range(45):
        for worker in team:
            made += [clock.now().timestamp()] * (take(worker, operation) == 0.0)
        clock.advance(milliseconds=50)
    (second, _) = operation.windows
    assert max(sum(start <= at < start + 1 for at in made) for start in made) <= second.calls
    assert len(made) >= min(second.calls * 1.9, 7 * 45 * 0.5)


def test_permits_of_busy_operations_are_taken_several_at_once(table_storage: TableStorage) -> None:
    """What a call costs: a write for each bulk request, a fifth of one for each profile."""
    clock = FixedClock()
    client = MeteredClient(table_storage.client)
    permits = DynamoCallPermits(client, table_storage.table, clock)  # type: ignore[arg-type]
    assert [take(permits, IMPORT_PROFILE) for _ in range(10)] == [0.0] * 10
    assert client.used.writes == 2
    assert take(permits) == 0.0
    assert client.used.writes == 3
    assert client.used.reads == 0


def test_permits_that_were_not_used_in_time_are_gone(table_storage: TableStorage) -> None:
    """A function is frozen between two invocations."""
    clock = FixedClock()
    client = MeteredClient(table_storage.client)
    permits = DynamoCallPermits(client, table_storage.table, clock)  # type: ignore[arg-type]
    assert take(permits, IMPORT_PROFILE) == 0.0
    clock.advance(seconds=1)
    assert take(permits, IMPORT_PROFILE) == 0.0
    assert client.used.writes == 2


def test_a_full_minute_fits_two_write_units(table_storage: TableStorage) -> None:
    """The dearest an item becomes: 150 calls counted one by one."""
    clock = FixedClock()
    client = MeteredClient(table_storage.client)
    permits = DynamoCallPermits(client, table_storage.table, clock)  # type: ignore[arg-type]
    for _ in range(150):
        assert take(permits) == 0.0
        clock.advance(milliseconds=377)
    before = client.used
    clock.advance(seconds=10)
    assert take(permits) == 0.0
    assert (client.used - before).writes <= 2


def test_what_was_seen_says_how_long_to_wait(table_storage: TableStorage) -> None:
    """A process that saw the last permit go knows; one that saw nothing expects none to be missing."""
    clock = FixedClock()
    one, other = workers(table_storage, clock)
    assert take(one, GET_ACCOUNTS) == 0.0
    assert one.wait(CANDLES, GET_ACCOUNTS.name, GET_ACCOUNTS.windows) == take(one, GET_ACCOUNTS) > 0
    assert other.wait(CANDLES, GET_ACCOUNTS.name, GET_ACCOUNTS.windows) == 0.0
    clock.advance(seconds=60)
    assert one.wait(CANDLES, GET_ACCOUNTS.name, GET_ACCOUNTS.windows) == 0.0


def test_permits_that_were_taken_together_need_no_waiting(table_storage: TableStorage) -> None:
    """Of a frequent operation the rest of a lease is free, whatever others have taken meanwhile."""
    one, other = workers(table_storage, FixedClock())
    assert take(one, CREATE_EVENT) == 0.0
    while take(other, CREATE_EVENT) == 0.0:
        pass
    assert one.wait(CANDLES, CREATE_EVENT.name, CREATE_EVENT.windows) == 0.0
    assert take(one, CREATE_EVENT) == 0.0
    assert other.wait(CANDLES, CREATE_EVENT.name, CREATE_EVENT.windows) > 0


def test_an_item_that_outlived_its_time_begins_anew(table_storage: TableStorage) -> None:
    """Its time to live removed it while a process still remembers its version."""
    clock = FixedClock()
    permits = DynamoCallPermits(table_storage.client, table_storage.table, clock)
    assert take(permits) == 0.0
    (item,) = table_storage.items()
    table_storage.client.delete_item(
        TableName=table_storage.table, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}}
    )
    assert take(permits) == 0.0
    assert [each["version"] for each in table_storage.items()] == [1]
    assert item["expires_at"] >= clock.now().timestamp() + 60


def test_workers_at_the_same_moment_never_take_the_same_permit(table_storage: TableStorage) -> None:
    """Real threads, real time: eight workers, and the ten permits of a second."""
    team = [DynamoCallPermits(table_storage.client, table_storage.table, SystemClock()) for _ in range(8)]
    start = threading.Barrier(len(team))

    def works(permits: DynamoCallPermits) -> int:
        start.wait()
        taken = 0
        for _ in range(3):
            try:
                taken += take(permits, GET_ACCOUNTS) == 0.0
            except Transient:
                continue
        return taken

    with ThreadPoolExecutor(len(team)) as pool:
        assert sum(pool.map(works, team)) <= 2


def test_storage_trouble_passes(table_storage: TableStorage) -> None:
    """And a note that cannot be written stops nobody."""
    permits = DynamoCallPermits(table_storage.client, "elsewhere", FixedClock())
    permits.close(CANDLES, CREATE_EVENT.name, 3)
    with pytest.raises(Exception, match="Storage refused"):
        take(permits)
