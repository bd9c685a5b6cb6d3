"""The comparison: a-ledger, a general double-entry ledger on SQLite, made to do the same.

Each member is a portfolio with an account of points and one of what they were issued against. It is given every
advantage: the database is in memory, points are plain amounts without lots, and nobody asks whether a balance covers
what is spent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from a_ledger import Ledger
from a_ledger.domain.journal import (
    CommandKey,
    JournalBatch,
    Post,
    PostingInput,
    Reverse,
    SourceIdentity,
    TransactionInput,
)
from a_ledger.schema import install
from sqlalchemy import create_engine, event

from benchmarks.operations import Operation


class GeneralLedger:
    """One portfolio a member, one database transaction an operation."""

    def __init__(self) -> None:
        self._connection = _engine().connect()
        self._members: set[str] = set()
        self._transactions: dict[int, str] = {}
        self._now = datetime(2026, 3, 2)  # noqa: DTZ001 - it wants either kind of time, but always the same
        with self._connection.begin():
            install(self._connection)
            self._ledger = Ledger(self._connection)

    def apply(self, operation: Operation) -> None:
        """Post or reverse; a repeat is recognised by its command's key."""
        self._now += timedelta(hours=1)
        with self._connection.begin():
            if operation.member not in self._members:
                self._open(operation.member)
            if operation.kind == "reverse":
                self._reverse(operation)
            else:
                self._post(operation)

    def balances(self) -> dict[str, int]:
        """Points of every member."""
        with self._connection.begin():
            return {
                name: self._ledger.queries.account_balances(name)[f"{name}-points"] for name in sorted(self._members)
            }

    def _open(self, name: str) -> None:
        self._ledger.accounts.create_portfolio(name, code=name, currency="PTS")
        for account, category in (("points", "ASSET"), ("issued", "EQUITY")):
            self._ledger.accounts.create_account(
                f"{name}-{account}", portfolio_id=name, code=account, category=category
            )
        self._members.add(name)

    def _post(self, operation: Operation) -> None:
        number = operation.target if operation.kind == "repeat" else operation.number
        if operation.kind == "repeat" and number in self._transactions:
            key = CommandKey("order", str(number))
            if self._ledger.journal.get_command_result(operation.member, key) is None:
                raise LookupError(number)
            return
        points = -operation.points if operation.kind == "spend" else operation.points
        facts = TransactionInput(
            event_code=operation.kind.upper(),
            business_date=self._now.date().isoformat(),
            occurred_at=self._now.isoformat(),
            postings=(
                PostingInput("points", f"{operation.member}-points", points),
                PostingInput("issued", f"{operation.member}-issued", -points),
            ),
            sequence=number,
        )
        post = Post("order", SourceIdentity("order", str(number)), facts)
        result = self._ledger.journal.execute(self._batch(operation, post))
        self._transactions[number] = result.items[0].created_transactions[0].transaction_id

    def _reverse(self, operation: Operation) -> None:
        reverse = Reverse("order", self._transactions[operation.target], "returned")
        batch = self._batch(operation, reverse)
        # A correction is executed against what a preview of it has seen.
        preview = self._ledger.journal.preview(batch)
        self._ledger.journal.execute(batch, expected=preview.guard)

    @staticmethod
    def _batch(operation: Operation, action: Post | Reverse) -> JournalBatch:
        return JournalBatch(operation.member, CommandKey("order", str(operation.number)), (action,))


def _engine() -> Any:
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
