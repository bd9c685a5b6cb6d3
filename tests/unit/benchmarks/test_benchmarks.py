"""The benchmarks measure the same work on every ledger, and say honestly whether a goal is reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from benchmarks import event_delivery
from benchmarks.core import Core
from benchmarks.dictionaries import Dictionaries
from benchmarks.general_ledger import GeneralLedger
from benchmarks.operations import Measured, sequence
from benchmarks.result import Result, write


def a_result(value: float, better: Literal["higher", "lower"]) -> Result:
    return Result("posting_write_units", value, "write units", 10, better, "earn 10")


def balances_after(ledger: Measured) -> dict[str, int]:
    for operation in sequence(members=3, each=25):
        ledger.apply(operation)
    return ledger.balances()


def test_all_ledgers_end_with_the_same_balances() -> None:
    core = balances_after(Core())
    assert core == balances_after(Dictionaries()) == balances_after(GeneralLedger())
    assert len(core) == 3
    assert all(points > 0 for points in core.values())


def test_the_sequence_holds_every_kind_of_operation_and_is_always_the_same() -> None:
    operations = sequence(members=3, each=25)
    assert operations == sequence(members=3, each=25)
    assert {operation.kind for operation in operations} == {"earn", "spend", "reverse", "repeat"}
    assert len(operations) == 75


@pytest.mark.parametrize(
    ("value", "better", "ok"),
    [(10, "lower", True), (11, "lower", False), (10, "higher", True), (9.9, "higher", False)],
)
def test_a_goal_is_reached_or_missed(value: float, better: Literal["higher", "lower"], ok: bool) -> None:
    result = a_result(value, better)
    assert result.ok is ok
    assert result.line.startswith("ok" if ok else "MISSED")


def test_figures_are_written_for_machines(tmp_path: Path) -> None:
    write([a_result(12, "lower")], tmp_path / "build" / "bench.json")
    assert json.loads((tmp_path / "build" / "bench.json").read_text()) == [
        {
            "name": "posting_write_units",
            "value": 12,
            "unit": "write units",
            "goal": 10,
            "better": "lower",
            "detail": "earn 10",
            "ok": False,
        }
    ]


def test_events_are_measured_on_the_real_worker_and_each_arrives_once() -> None:
    found = event_delivery.measured(2_500)
    assert (found.calls, found.throttled, found.off, found.marks) == (3, 0, 0, 2_500)
