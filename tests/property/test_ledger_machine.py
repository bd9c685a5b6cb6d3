"""The ledger against a naive one, on every store there is; see ``machine``.

``HYPOTHESIS_PROFILE=nightly`` runs 2,000 examples of 50 steps in memory, and fewer on the slower stores.
"""

from __future__ import annotations

import boto3
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from moto import mock_aws

from tests.emulator import on_emulator
from tests.property.benches import Bench, MemoryBench, TableBench
from tests.property.machine import LedgerMachine


def run(bench: Bench, *, share: int = 1, steps: int = 50) -> None:
    """Run the machine as long as the profile says, or a share of that on a slow store."""
    examples = max(1, settings().max_examples // share)

    class Machine(LedgerMachine):
        """The machine on this store."""

        def __init__(self) -> None:
            super().__init__(bench)

    run_state_machine_as_test(Machine, settings=settings(max_examples=examples, stateful_step_count=steps))


@pytest.mark.slow
def test_the_ledger_in_memory() -> None:
    run(MemoryBench())


@pytest.mark.slow
def test_the_ledger_on_moto() -> None:
    with mock_aws():
        run(TableBench(boto3.client("dynamodb", region_name="eu-central-1")), share=20, steps=25)


@on_emulator
@pytest.mark.slow
def test_the_ledger_on_the_emulator(request: pytest.FixtureRequest) -> None:
    run(TableBench(request.getfixturevalue("emulated_dynamodb")), share=25, steps=30)
