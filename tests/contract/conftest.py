"""Every implementation of the storage ports, each test on each of them and on an empty store."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests.contract.storage import MemoryStorage, Pen, Storage, TableStorage
from tests.emulator import emulated_table, on_emulator
from tests.table import create_table

ON_TABLES = ["moto", pytest.param("emulator", marks=on_emulator)]


@pytest.fixture(params=["memory", *ON_TABLES])
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """The fakes, the adapters on moto, the adapters on the emulator."""
    if request.param == "memory":
        yield MemoryStorage()
    else:
        yield from _tables(request)


@pytest.fixture(params=ON_TABLES)
def table_storage(request: pytest.FixtureRequest) -> Iterator[TableStorage]:
    """The adapters alone, for what is about items and indexes."""
    yield from _tables(request)


@pytest.fixture
def pen(storage: Storage) -> Pen:
    """A pen for a connected program with default terms."""
    return Pen(storage)


@pytest.fixture
def table_pen(table_storage: TableStorage) -> Pen:
    """The same, on the adapters alone."""
    return Pen(table_storage)


def _tables(request: pytest.FixtureRequest) -> Iterator[TableStorage]:
    if request.param == "emulator":
        client = request.getfixturevalue("emulated_dynamodb")
        with emulated_table(client) as table:
            yield TableStorage(client, table)
    else:
        with mock_aws():
            client = boto3.client("dynamodb", region_name="eu-central-1")
            create_table(client, "loyalty")
            yield TableStorage(client, "loyalty")
