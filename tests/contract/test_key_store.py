"""KeyStore, RequestCounter, UnfinishedRequests: the fakes and the table behave alike (R124)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from loyalty.adapters.dynamodb.key_store import DynamoKeys
from loyalty.adapters.dynamodb.request_counter import DynamoRequestCounter
from loyalty.adapters.dynamodb.unfinished_requests import DynamoUnfinishedRequests
from loyalty.domain.api_keys import ApiKey, Scope
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import KeyStore, RequestCounter, UnfinishedRequests
from tests.emulator import emulated_table, on_emulator
from tests.fakes.clocks import START
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys, MemoryUnfinished
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CANDLES = ProgramSlug("candles")
KEY = ApiKey(
    key_id="a" * 16,
    program=CANDLES,
    name="Flows",
    scopes=frozenset({Scope.BALANCE_WRITE, Scope.MEMBERS_READ}),
    salt="salt",
    digest="0" * 64,
    created_at=START,
    per_minute=10,
)


@dataclass(frozen=True)
class Ports:
    """The three ports on one empty store."""

    keys: KeyStore
    counter: RequestCounter
    unfinished: UnfinishedRequests


def on_table(client: DynamoDBClient, table: str) -> Ports:
    return Ports(
        DynamoKeys(client, table), DynamoRequestCounter(client, table), DynamoUnfinishedRequests(client, table)
    )


@pytest.fixture(params=["memory", "moto", pytest.param("emulator", marks=on_emulator)])
def ports(request: pytest.FixtureRequest) -> Iterator[Ports]:
    if request.param == "memory":
        yield Ports(MemoryKeys(), MemoryCounter(), MemoryUnfinished())
    elif request.param == "moto":
        with mock_aws():
            client = boto3.client("dynamodb", region_name="eu-central-1")
            create_table(client, "loyalty")
            yield on_table(client, "loyalty")
    else:
        client = request.getfixturevalue("emulated_dynamodb")
        with emulated_table(client) as table:
            yield on_table(client, table)


def test_a_key_comes_back_as_it_was_stored(ports: Ports) -> None:
    ports.keys.add(KEY)
    assert ports.keys.load(KEY.key_id) == KEY
    assert ports.keys.load("b" * 16) is None


def test_a_programs_keys_are_listed_oldest_first_and_nobody_elses(ports: Ports) -> None:
    younger = replace(KEY, key_id="0" * 16, created_at=START + timedelta(days=1), replaces=KEY.key_id)
    for key in (younger, KEY, replace(KEY, key_id="c" * 16, program=ProgramSlug("candles-2"))):
        ports.keys.add(key)
    assert ports.keys.all_of(CANDLES) == [KEY, younger]


def test_a_key_is_revoked_once(ports: Ports) -> None:
    ports.keys.add(KEY)
    assert ports.keys.revoke(KEY, START).revoked_at == START
    assert ports.keys.revoke(KEY, START + timedelta(days=1)).revoked_at == START
    assert ports.keys.all_of(CANDLES) == [replace(KEY, revoked_at=START)]


def test_a_use_is_remembered(ports: Ports) -> None:
    ports.keys.add(KEY)
    ports.keys.note_use(KEY, START + timedelta(hours=2))
    assert ports.keys.load(KEY.key_id) == replace(KEY, last_used_at=START + timedelta(hours=2))


def test_a_limit_holds_within_a_minute_for_each_key(ports: Ports) -> None:
    assert [ports.counter.take("a", 2, START) for _ in range(4)] == [True, True, False, False]
    assert ports.counter.take("b", 2, START)
    assert ports.counter.take("a", 2, START + timedelta(minutes=1))


@pytest.mark.parametrize("ports", ["memory", pytest.param("emulator", marks=on_emulator)], indirect=True)
def test_a_limit_holds_across_everything_that_counts_at_once(ports: Ports) -> None:
    """Not on moto, which checks a condition and writes in two steps."""
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: ports.counter.take("a", 5, START), range(24)))
    assert sum(taken) == 5


def test_an_unfinished_request_is_found_until_it_is_finished(ports: Ports) -> None:
    assert ports.unfinished.find(CANDLES, "digest") == ""
    ports.unfinished.remember(CANDLES, "digest", "name", START)
    assert ports.unfinished.find(CANDLES, "digest") == "name"
    assert ports.unfinished.find(ProgramSlug("soap"), "digest") == ""
    ports.unfinished.forget(CANDLES, "digest")
    assert ports.unfinished.find(CANDLES, "digest") == ""
