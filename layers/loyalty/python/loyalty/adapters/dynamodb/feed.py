"""A program's entries by day, on DynamoDB: the part of the feed index that nothing is owed for."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import delivery_item
from loyalty.adapters.dynamodb.conditional import update_if
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WRITES_AT_ONCE = 16


class DynamoFeed:
    """The feed, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def of_day(
        self, program: ProgramSlug, day: date, *, after: str, limit: int
    ) -> tuple[list[tuple[MemberId, int]], str]:
        """Entries of a day by time, in pages: keys, and what the next page is after; the last page is after ""."""
        pk = keys.feed_pk(program, datetime.combine(day, time(), UTC))
        with storage_errors():
            page = self._client.query(
                TableName=self._table,
                IndexName=keys.FEED_INDEX,
                KeyConditionExpression="feed_pk = :pk AND feed_sk > :after",
                ExpressionAttributeValues=wire({":pk": pk, ":after": after or "0"}),
                Limit=limit,
            )
        items = [plain(item) for item in page["Items"]]
        more = items[-1]["feed_sk"] if items and page.get("LastEvaluatedKey") else ""
        return [(MemberId(item["member_id"]), item["seq"]) for item in items], more

    def owe_again(self, entries: Sequence[Entry], delivery: Delivery) -> None:
        """Owe Klaviyo events that were skipped or failed, several at the same time.

        Raises:
            Transient: some are not owed again; doing it again is safe.
        """
        with ThreadPoolExecutor(max_workers=WRITES_AT_ONCE) as pool:
            for owed in [pool.submit(self._owe, entry, delivery) for entry in entries]:
                owed.result()

    def _owe(self, entry: Entry, delivery: Delivery) -> None:
        changed = delivery_item(entry, delivery)
        values: Item = {f":{name}": value for name, value in changed.items()}
        values |= {":skipped": DeliveryState.SKIPPED.value, ":failed": DeliveryState.FAILED.value}
        update_if(
            self._client,
            self._table,
            keys.entry(entry.program, entry.member_id, entry.seq),
            "SET " + ", ".join(f"{name} = :{name}" for name in changed),
            condition="delivery = :skipped OR delivery = :failed",
            values=values,
        )
