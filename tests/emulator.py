"""The AWS emulator for storage tests: one for each test process, one table for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from local.emulator import ACCESS_KEY, REGION, Emulator, running_emulator
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THREADS = 50
"""How many threads may use one client at the same time."""

on_emulator = pytest.mark.emulator
"""The mark of a parameter whose tests need the emulator."""

_numbers = count(1)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator, ended with the test run."""
    folder = tmp_path_factory.mktemp("emulator")
    with running_emulator(folder, folder) as running:
        yield running


@pytest.fixture(scope="session")
def emulated_dynamodb(emulator: Emulator) -> DynamoDBClient:
    """A client of the emulator that retries nothing by itself, so that tests see each error."""
    return boto3.client(
        "dynamodb",
        endpoint_url=emulator.endpoint_url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
        config=Config(
            max_pool_connections=THREADS, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60
        ),
    )


@contextmanager
def emulated_table(client: DynamoDBClient) -> Iterator[str]:
    """A table of one's own, as the template defines it."""
    name = f"table-{next(_numbers)}"
    create_table(client, name)
    yield name
    client.delete_table(TableName=name)


@pytest.fixture
def new_table(emulated_dynamodb: DynamoDBClient) -> Iterator[str]:
    """The name of an empty table on the emulator."""
    with emulated_table(emulated_dynamodb) as name:
        yield name


@pytest.fixture
def another_table(emulated_dynamodb: DynamoDBClient) -> Iterator[str]:
    """A second empty table, for comparisons."""
    with emulated_table(emulated_dynamodb) as name:
        yield name
