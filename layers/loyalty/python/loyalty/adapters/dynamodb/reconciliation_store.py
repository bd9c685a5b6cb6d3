"""How far programs' reviews were looked through, on DynamoDB: one item a program, beside its connection's notes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.adapters.dynamodb.versions import put_version
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.reconciliation import Reconciliation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoReconciliations:
    """Reconciliations, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def reconciliation(self, program: ProgramSlug) -> Reconciliation | None:
        """How far a program's reviews were looked through."""
        key = keys.reconciliation(program)
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}))
        return _reconciliation_of(plain(answer["Item"])) if "Item" in answer else None

    def save_reconciliation(self, program: ProgramSlug, state: Reconciliation) -> Reconciliation:
        """Replace the version that was read; the first has version 0. Answers it as stored.

        Raises:
            Conflict: somebody else was faster.
        """
        stored = replace(state, version=state.version + 1)
        overtaken = Conflict("The reviews are being looked through.", code="reconciliation_changed")
        put_version(self._client, self._table, _item(program, stored), before=state.version, otherwise=overtaken)
        return stored


def _item(program: ProgramSlug, state: Reconciliation) -> Item:
    key = keys.reconciliation(program)
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": "reconciliation",
        "program": program,
        "account_id": state.account_id,
        "known_until": utc_text(state.known_until),
        "marks": sorted(state.marks),
        "newest": utc_text(state.newest) if state.newest else "",
        "ahead": list(state.ahead),
        "cursor": state.cursor,
        "looked_at": utc_text(state.looked_at) if state.looked_at else "",
        "problem": state.problem,
        "version": state.version,
    }


def _reconciliation_of(item: Item) -> Reconciliation:
    return Reconciliation(
        account_id=item["account_id"],
        known_until=parse_utc(item["known_until"]),
        marks=frozenset(item["marks"]),
        newest=parse_utc(item["newest"]) if item["newest"] else None,
        ahead=tuple(item["ahead"]),
        cursor=item["cursor"],
        looked_at=parse_utc(item["looked_at"]) if item["looked_at"] else None,
        problem=item["problem"],
        version=item["version"],
    )
