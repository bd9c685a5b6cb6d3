"""How far an account's reviews were looked through: kept whole, and replaced only by whoever read it last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.adapters.dynamodb.reconciliation_store import DynamoReconciliations
from loyalty.connection_ports import Reconciliations
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.reconciliation import SCOPE_MISSING, Reconciliation
from tests.contract.storage import MemoryStorage, Storage, TableStorage
from tests.fakes.clocks import START
from tests.fakes.memory_oauth import MemoryReconciliations

CANDLES = ProgramSlug("candles")
UNDER_WAY = Reconciliation(
    "AbC123",
    START,
    marks=frozenset({"one", "two"}),
    newest=START + timedelta(hours=1),
    ahead=("three", "four"),
    cursor="bmV4dA==",
)


@pytest.fixture
def reconciliations(storage: Storage) -> Reconciliations:
    if isinstance(storage, MemoryStorage):
        return MemoryReconciliations()
    assert isinstance(storage, TableStorage)
    return DynamoReconciliations(storage.client, storage.table)


def test_what_was_saved_is_read_whole(reconciliations: Reconciliations) -> None:
    assert reconciliations.reconciliation(CANDLES) is None
    stored = reconciliations.save_reconciliation(CANDLES, UNDER_WAY)
    assert (stored, stored.version) == (UNDER_WAY, 1)
    assert reconciliations.reconciliation(CANDLES) == UNDER_WAY
    done = replace(stored.complete(START + timedelta(hours=2)), problem=SCOPE_MISSING)
    reconciliations.save_reconciliation(CANDLES, done)
    assert reconciliations.reconciliation(CANDLES) == done
    assert reconciliations.reconciliation(ProgramSlug("soaps")) is None


def test_only_the_version_that_was_read_is_replaced(reconciliations: Reconciliations) -> None:
    stored = reconciliations.save_reconciliation(CANDLES, UNDER_WAY)
    for outdated in (UNDER_WAY, replace(stored, version=7)):
        with pytest.raises(Conflict):
            reconciliations.save_reconciliation(CANDLES, outdated)
    assert reconciliations.reconciliation(CANDLES) == UNDER_WAY
