"""How fast the pure core is: against a general ledger on SQLite, and against plain dictionaries as the floor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.core import Core
from benchmarks.dictionaries import Dictionaries
from benchmarks.general_ledger import GeneralLedger
from benchmarks.operations import Measured, Operation, sequence
from benchmarks.result import Result

SHORT, LONG = (20, 20), (4, 100)
"""Members and operations each: the same work with little and with more history a member."""


def results() -> Iterator[Result]:
    """Run the same operations on all three, twice."""
    for members, each in (SHORT, LONG):
        operations = sequence(members, each)
        core = _quickest(Core, operations, 5)
        floor = _quickest(Dictionaries, operations, 20)
        general = _quickest(GeneralLedger, operations, 1)
        rates = {
            name: f"{len(operations) / seconds:,.0f}/s"
            for name, seconds in (("core", core), ("a-ledger", general), ("dictionaries", floor))
        }
        said = ", ".join(f"{name} {rate}" for name, rate in rates.items())
        work = f"{members} members, {each} operations each, one at a time: {said}"
        yield Result(
            name=f"core_against_a_ledger_at_{each}",
            value=round(general / core, 1),
            unit="times as many operations a second",
            goal=20,
            better="higher",
            detail=work,
        )
        yield Result(
            name=f"core_against_dictionaries_at_{each}",
            value=round(core / floor, 1),
            unit="times the time an operation takes",
            goal=750,
            better="lower",
            detail=f"{work}. The floor keeps balances and lots, and proves, limits, chains and explains nothing.",
        )


def _quickest(make: Callable[[], Measured], operations: Sequence[Operation], rounds: int) -> float:
    """Processor seconds for all operations on a fresh ledger, the best of some rounds.

    All three work in this process alone, so processor time is all there is, and other processes do not count.

    Raises:
        RuntimeError: the ledger ends with other balances than the floor, so the two did not do the same work.
    """
    best = float("inf")
    for _ in range(rounds):
        ledger = make()
        start = time.process_time()
        for operation in operations:
            ledger.apply(operation)
        best = min(best, time.process_time() - start)
        if ledger.balances() != _expected(operations):
            raise RuntimeError(f"{make.__name__} did other work than the floor")
    return best


def _expected(operations: Sequence[Operation]) -> dict[str, int]:
    floor = Dictionaries()
    for operation in operations:
        floor.apply(operation)
    return floor.balances()
