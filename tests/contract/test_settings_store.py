"""SettingsStore on a table: one version after the other, beside a connection that stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loyalty.adapters.dynamodb.settings_store import DynamoSettings
from loyalty.domain.errors import Conflict
from tests.builders import a_program
from tests.contract.storage import TableStorage


def test_a_version_follows_the_one_before(table_storage: TableStorage) -> None:
    program = a_program(connection=None)
    settings = DynamoSettings(table_storage.client, table_storage.table)
    table_storage.programs.create(program)
    second = replace(program, name="Wax", version=2)
    settings.replace(second)
    assert table_storage.programs.load(program.slug) == second
    for late in (second, replace(second, version=4), replace(program, version=1)):
        with pytest.raises(Conflict):
            settings.replace(late)
    assert table_storage.programs.load(program.slug) == second


def test_settings_of_nothing_are_not_made(table_storage: TableStorage) -> None:
    with pytest.raises(Conflict):
        DynamoSettings(table_storage.client, table_storage.table).replace(a_program(version=2))
