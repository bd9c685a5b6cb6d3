"""What a posting costs in DynamoDB's capacity units, counted by the AWS emulator with every index."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result
from local.emulator import running_emulator
from tests.metering import Units
from tests.postings import POSTINGS, Till, measured
from tests.table import create_table


def results() -> Iterator[Result]:
    """Post everything there is to post, each at its dearest."""
    counted = _counted()
    writes = {name: units.writes for name, units in counted.items()}
    reads = {name: units.reads for name, units in counted.items()}
    for kind, found, goal in (("write", writes, 10.0), ("read", reads, 2.0)):
        dearest = max(found.values())
        yield Result(
            name=f"posting_{kind}_units",
            value=dearest,
            unit=f"{kind} units of the dearest posting",
            goal=goal,
            better="lower",
            detail="; ".join(f"{name} {units:g}" for name, units in found.items()),
        )


def _counted() -> dict[str, Units]:
    with (
        tempfile.TemporaryDirectory(prefix="benchmarks-") as folder,
        running_emulator(Path(folder), Path(folder)) as emulator,
    ):
        client = emulator.client("dynamodb")
        found = {}
        for number, name in enumerate(POSTINGS):
            create_table(client, f"posting-{number}")
            found[name] = measured(Till(client, f"posting-{number}"), name)
        return found
