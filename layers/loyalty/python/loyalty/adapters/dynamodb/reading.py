"""Reading many items by key: as few calls as DynamoDB allows, several of them at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.keys import Key
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.errors import Transient

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 100
"""Keys one BatchGetItem takes."""

CALLS_AT_ONCE = 8

ROUNDS = 5
"""How often keys DynamoDB left unprocessed are asked for again before giving up."""


def read_items(client: DynamoDBClient, table: str, wanted: Sequence[Key]) -> list[Item]:
    """The items of some keys, consistently read, in no order; those that do not exist are missing.

    Raises:
        Transient: storage is busy or out of reach.
    """
    batches = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
    if len(batches) <= 1:
        return [item for batch in batches for item in _read(client, table, batch)]
    with ThreadPoolExecutor(max_workers=min(CALLS_AT_ONCE, len(batches))) as pool:
        return [item for found in pool.map(lambda batch: _read(client, table, batch), batches) for item in found]


def _read(client: DynamoDBClient, table: str, batch: Sequence[Key]) -> list[Item]:
    left = [wire({"pk": key.pk, "sk": key.sk}) for key in batch]
    found: list[Item] = []
    for _ in range(ROUNDS):
        with storage_errors():
            answer = client.batch_get_item(RequestItems={table: {"Keys": left, "ConsistentRead": True}})
        found += [plain(item) for item in answer["Responses"].get(table, [])]
        unprocessed: Mapping[str, Any] = answer["UnprocessedKeys"]
        left = unprocessed.get(table, {}).get("Keys", [])
        if not left:
            return found
    raise Transient("Storage is busy; try again shortly.", unprocessed=len(left))
