"""Many members due at one midnight, many workers, sweeps that overlap: each effect once (R175, W5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loyalty.domain.ledger.entry import EntryKind
from tests.crowd import a_crowd, a_stored_crowd

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE_AT_MIDNIGHT = 4_000
"""The benchmarks take 20,000."""
EARNED_THEN_EXPIRED = (EntryKind.EARN, EntryKind.EXPIRE)


@pytest.mark.slow
def test_thousands_due_at_one_midnight_expire_once_each() -> None:
    crowd = a_crowd(DUE_AT_MIDNIGHT, 0)
    reports = crowd.sweep(times=2, workers=8)
    assert sum(report.acted for report in reports) == DUE_AT_MIDNIGHT
    assert sum(report.due for report in reports) > DUE_AT_MIDNIGHT, "the sweeps did overlap"
    assert crowd.journals() == {EARNED_THEN_EXPIRED}
    assert sum(report.due for report in crowd.sweep()) == 0


@pytest.mark.emulator
def test_overlapping_sweeps_on_the_table_double_nothing(emulated_dynamodb: DynamoDBClient, new_table: str) -> None:
    crowd = a_stored_crowd(emulated_dynamodb, new_table, 60, 0)
    reports = crowd.sweep(times=3, workers=12)
    assert sum(report.acted for report in reports) == 60
    assert sum(report.due for report in reports) > 60, "the sweeps did overlap"
    assert crowd.journals() == {EARNED_THEN_EXPIRED}
    assert sum(report.due for report in crowd.sweep()) == 0
