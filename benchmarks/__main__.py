"""Runs every benchmark: ``python -m benchmarks``. Figures go to the terminal and to build/bench.json.

The exit code is 1 when a goal is missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    adjustment,
    cold_import,
    due_sweep,
    event_delivery,
    full_sync,
    layer_sizes,
    ledger_core,
    posting_units,
    review_intake,
)
from benchmarks.result import Result, write

FILE = Path(__file__).resolve().parent.parent / "build" / "bench.json"
SUITES: tuple[Callable[[], Iterator[Result]], ...] = (
    ledger_core.results,
    posting_units.results,
    due_sweep.results,
    full_sync.results,
    adjustment.results,
    review_intake.results,
    event_delivery.results,
    cold_import.results,
    layer_sizes.results,
)


def main() -> int:
    """Run all suites; the exit code for the shell."""
    results = []
    for suite in SUITES:
        for result in suite():
            print(result.line, flush=True)
            results.append(result)
    write(results, FILE)
    print(f"wrote {FILE.relative_to(FILE.parent.parent)}")
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
