"""Requests without idempotency keys that stopped half way, on DynamoDB."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.typed_json import plain, wire
from loyalty.domain.identity import ProgramSlug

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_FOR = timedelta(hours=36)
"""Longer than the day for which Klaviyo sends a step again."""


class DynamoUnfinishedRequests:
    """Notes on such requests in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def find(self, program: ProgramSlug, digest: str) -> str:
        """The name under which such a request was begun; empty when there is none."""
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=_key(program, digest), ConsistentRead=True)
        return str(plain(answer["Item"])["name"]) if "Item" in answer else ""

    def remember(self, program: ProgramSlug, digest: str, name: str, now: datetime) -> None:
        """Keep the name of a request that stopped."""
        facts = {
            "type": "unfinished",
            "program": program,
            "name": name,
            "expires_at": int((now + KEPT_FOR).timestamp()),
        }
        with storage_errors():
            self._client.put_item(TableName=self._table, Item={**_key(program, digest), **wire(facts)})

    def forget(self, program: ProgramSlug, digest: str) -> None:
        """The request got to its end."""
        with storage_errors():
            self._client.delete_item(TableName=self._table, Key=_key(program, digest))


def _key(program: ProgramSlug, digest: str) -> dict[str, Any]:
    where = keys.unfinished(program, digest)
    return wire({"pk": where.pk, "sk": where.sk})
