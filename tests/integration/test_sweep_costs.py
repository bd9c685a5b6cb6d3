"""What a sweep reads depends on who is due, and on nobody else (R175, W4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loyalty.adapters.dynamodb import keys
from tests.crowd import a_crowd, a_stored_crowd

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

QUERIES_OF_AN_IDLE_SWEEP = 16


@pytest.mark.slow
def test_a_thousand_due_cost_the_same_among_ten_thousand_and_among_two_hundred_thousand() -> None:
    costs = []
    for members in (10_000, 200_000):
        crowd = a_crowd(1_000, members - 1_000)
        reports = crowd.sweep()
        assert sum(report.acted for report in reports) == 1_000
        costs.append((crowd.meter.units, dict(crowd.meter.calls)))
    assert costs[1][0] == pytest.approx(costs[0][0], rel=0.05)
    assert costs[1] == costs[0]


@pytest.mark.parametrize("members", [0, 20_000])
def test_a_sweep_with_nobody_due_is_sixteen_queries_of_half_a_unit(members: int) -> None:
    crowd = a_crowd(0, members)
    assert sum(report.due for report in crowd.sweep()) == 0
    assert crowd.meter.calls == {"query": QUERIES_OF_AN_IDLE_SWEEP}
    assert crowd.meter.units == QUERIES_OF_AN_IDLE_SWEEP / 2


@pytest.mark.emulator
@pytest.mark.parametrize(("due", "others"), [(0, 0), (25, 25), (25, 1_000)])
def test_the_table_is_read_as_the_crowd_in_memory_is(
    emulated_dynamodb: DynamoDBClient, new_table: str, due: int, others: int
) -> None:
    """The proof that what is counted in memory is what the adapters ask of a table."""
    table, memory = a_stored_crowd(emulated_dynamodb, new_table, due, others), a_crowd(due, others)
    assert [report.counts for report in table.sweep()] == [report.counts for report in memory.sweep()]
    assert table.meter.calls == memory.meter.calls
    assert table.meter.units == memory.meter.units
    assert [report.due for report in table.sweep()] == [0] * keys.DUE_SHARDS
