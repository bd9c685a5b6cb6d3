"""The stores that the ledger machine runs on."""

from __future__ import annotations

import pickle
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Protocol

from loyalty.adapters.dynamodb.audit import DynamoAudit
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.domain.program import Program
from loyalty.ports import LedgerStore
from tests.fakes.clocks import START
from tests.fakes.memory_ledger import MemoryLedger
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_numbers = count(1)


class StandingClock:
    """A clock that only the machine moves."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0


class Bench(Protocol):
    """A store to try, fresh for each run."""

    @property
    def looks(self) -> int:
        """Every how many commands a look at everything stored is affordable."""

    def open(self, clock: StandingClock) -> LedgerStore:
        """An empty store."""

    def snapshot(self) -> object:
        """Everything that is stored, for comparing."""

    def audit(self, program: Program) -> None:
        """Check what is stored beside the port, at the end of a run."""


class MemoryBench:
    """The fake."""

    looks = 1

    def __init__(self) -> None:
        self.store = MemoryLedger()

    def open(self, clock: StandingClock) -> LedgerStore:
        self.store = MemoryLedger()
        return self.store

    def snapshot(self) -> object:
        public = {name: value for name, value in vars(self.store).items() if not name.startswith("_")}
        return pickle.dumps(public)

    def audit(self, program: Program) -> None:
        """Nothing is stored beside the port."""


class TableBench:
    """The adapter, on a table of its own."""

    looks = 6

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.table = ""
        self.clock = StandingClock()

    def open(self, clock: StandingClock) -> LedgerStore:
        if self.table:
            # moto copies all tables for each transaction.
            self.client.delete_table(TableName=self.table)
        self.clock = clock
        self.table = f"machine-{next(_numbers)}"
        create_table(self.client, self.table)
        return DynamoLedger(self.client, self.table)

    def snapshot(self) -> object:
        items = []
        for page in self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            items += page["Items"]
        return sorted(items, key=repr)

    def audit(self, program: Program) -> None:
        audit = DynamoAudit(self.client, self.table, self.clock)
        reports = [audit.check(program, member_id) for member_id in audit.member_ids(program.slug)]
        findings = [finding for report in reports for finding in report.findings] + list(audit.strays(program))
        # A change of terms moves what is due; the index follows with a member's next posting.
        assert [finding for finding in findings if finding.attribute not in ("due_pk", "due_sk")] == []
