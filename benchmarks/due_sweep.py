"""Sweeps over what is due: what they cost among many members, and many workers at one midnight.

Reads are counted by DynamoDB's documented rules from what is read, as the emulator charges every query the same.
"""

from __future__ import annotations

import cProfile
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.result import Result
from local.emulator import running_emulator
from loyalty.domain.ledger.entry import EntryKind
from tests.crowd import Crowd, a_crowd, a_stored_crowd
from tests.metering import MeteredClient
from tests.table import create_table

DUE, FEW, MANY = 1_000, 10_000, 200_000
AT_MIDNIGHT, WORKERS, SWEEPS = 20_000, 8, 2
STORED = 100


@dataclass(frozen=True)
class Cost:
    """What one sweep took: read units, reads, work as function calls, and memory in bytes at its peak."""

    units: float
    reads: int
    work: int
    memory: int


def results() -> Iterator[Result]:
    """Sweep among few and among many, sweep with nobody due, and sweep a midnight."""
    few, many = _cost(DUE, FEW), _cost(DUE, MANY)
    between = f"{DUE} due among {MANY} members against {DUE} among {FEW}"
    yield _growth(
        "due_sweep_read_units_growth", many.units / few.units, 1.05, f"{between}: {many.units:g}/{few.units:g}"
    )
    yield _growth(
        "due_sweep_work_growth", many.work / few.work, 1.05, f"{between}: {many.work}/{few.work} function calls"
    )
    yield _growth(
        "due_sweep_memory_growth", many.memory / few.memory, 1.1, f"{between}: {many.memory}/{few.memory} bytes"
    )
    idle = _cost(0, MANY)
    yield Result(
        "due_sweep_idle_queries", idle.reads, "queries", 16, "lower", f"{idle.units:g} read units, nobody of {MANY} due"
    )
    yield from _midnight()
    yield from _stored()


def _growth(name: str, value: float, goal: float, detail: str) -> Result:
    return Result(name, round(value, 3), "times", goal, "lower", detail)


def _cost(due: int, members: int) -> Cost:
    """Counts of one sweep, its function calls from a profile of another, its memory from a third."""
    crowd = a_crowd(due, members - due)
    crowd.sweep()
    profiled, profile = a_crowd(due, members - due), cProfile.Profile()
    profile.runcall(profiled.sweep)
    work = sum(entry.callcount for entry in profile.getstats())
    traced = a_crowd(due, members - due)
    tracemalloc.start()
    traced.sweep()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Cost(crowd.meter.units, crowd.meter.calls.total(), work, peak)


def _midnight() -> Iterator[Result]:
    crowd = a_crowd(AT_MIDNIGHT, 0)
    begun = time.perf_counter()
    reports = crowd.sweep(times=SWEEPS, workers=WORKERS)
    seconds = time.perf_counter() - begun
    met = sum(report.due for report in reports)
    yield Result(
        name="midnight_effects_off",
        value=_wrong(crowd) + abs(sum(report.acted for report in reports) - AT_MIDNIGHT),
        unit="members expired twice or not at all",
        goal=0,
        better="lower",
        detail=f"{AT_MIDNIGHT} due, {SWEEPS} overlapping sweeps of 16 shards, {WORKERS} threads on one interpreter: "
        f"{met} attended to, {AT_MIDNIGHT / seconds:,.0f} members a second, "
        f"{crowd.meter.units / AT_MIDNIGHT:.2f} read units a member",
    )


def _wrong(crowd: Crowd) -> int:
    right = (EntryKind.EARN, EntryKind.EXPIRE)
    journals = (crowd.store.journal(crowd.program.slug, member_id) for member_id in crowd.due)
    return sum(tuple(entry.kind for entry in journal) != right for journal in journals)


def _stored() -> Iterator[Result]:
    with (
        tempfile.TemporaryDirectory(prefix="benchmarks-") as folder,
        running_emulator(Path(folder), Path(folder)) as emulator,
    ):
        client = emulator.client("dynamodb")
        create_table(client, "midnight")
        metered = MeteredClient(client)
        crowd = a_stored_crowd(metered, "midnight", STORED, 0)
        before = metered.used
        crowd.sweep()
        writes = (metered.used - before).writes / STORED
    yield Result(
        name="due_act_write_units",
        value=writes,
        unit="write units a member that expires",
        goal=10,
        better="lower",
        detail=f"{STORED} members on the emulator, all indexes counted",
    )
