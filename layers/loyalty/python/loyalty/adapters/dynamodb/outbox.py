"""The outbox port on DynamoDB: marks on entries and members, and the index partitions of what is owed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import delivery_item, entry_of, member_of, refusal_check
from loyalty.adapters.dynamodb.conditional import update_if
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.keys import Key
from loyalty.adapters.dynamodb.reading import read_items
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import utc_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MARKS_AT_ONCE = 16


class DynamoOutbox:
    """What Klaviyo is still owed, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def members(self, program: ProgramSlug, member_ids: Iterable[MemberId]) -> dict[MemberId, Member]:
        """The newest state of many members, consistently read; unknown ones are missing."""
        wanted = [keys.member(program, member_id) for member_id in dict.fromkeys(member_ids)]
        found = [member_of(item) for item in read_items(self._client, self._table, wanted) if item["type"] == "member"]
        return {member.member_id: member for member in found}

    def entries(self, program: ProgramSlug, entry_keys: Iterable[tuple[MemberId, int]]) -> list[Entry]:
        """Entries by member and number."""
        wanted = [keys.entry(program, member_id, seq) for member_id, seq in dict.fromkeys(entry_keys)]
        return [entry_of(item) for item in read_items(self._client, self._table, wanted)]

    def owed_profiles(self, program: ProgramSlug, *, limit: int) -> list[MemberId]:
        """Members whose newest state Klaviyo lacks, those owed longest first."""
        return owed_members(self._client, self._table, program, limit=limit)

    def owed_events(
        self, program: ProgramSlug, *, before: datetime, after: str = "", limit: int
    ) -> tuple[list[tuple[MemberId, int]], str]:
        """Entries whose event has been owed since before a time, in pages: keys, and what the next page is after.

        Shard by shard, and in a shard by time, so the entries of a member come in the order of its journal.
        """
        number, _, place = after.partition("|")
        shard = int(number or 0)
        pk = keys.owed_pk(program, "event", shard)
        values = {":pk": pk, ":from": place or "0", ":to": utc_text(before)}
        with storage_errors():
            page = self._client.query(
                TableName=self._table,
                IndexName=keys.FEED_INDEX,
                KeyConditionExpression="feed_pk = :pk AND feed_sk BETWEEN :from AND :to",
                ExpressionAttributeValues=wire(values),
                Limit=limit,
            )
        items = [plain(item) for item in page["Items"]]
        found = [(MemberId(item["member_id"]), item["seq"]) for item in items if item["feed_sk"] != place]
        if page.get("LastEvaluatedKey"):
            return found, f"{shard}|{items[-1]['feed_sk']}"
        return found, f"{shard + 1}|" if shard + 1 < keys.OWED_SHARDS else ""

    def owed_counts(self, program: ProgramSlug, *, most: int) -> tuple[int, int]:
        """How many events and profiles are owed; counting ends at ``most`` of each."""
        return self._owed_count(program, "event", most), self._owed_count(program, "profile", most)

    def _owed_count(self, program: ProgramSlug, what: str, most: int) -> int:
        total = 0
        for shard in range(keys.OWED_SHARDS):
            if total < most:
                with storage_errors():
                    page = self._client.query(
                        TableName=self._table,
                        IndexName=keys.FEED_INDEX,
                        KeyConditionExpression="feed_pk = :pk",
                        ExpressionAttributeValues=wire({":pk": keys.owed_pk(program, what, shard)}),
                        Select="COUNT",
                        Limit=most - total,
                    )
                total += page["Count"]
        return total

    def mark_event(self, entry: Entry, delivery: Delivery) -> bool:
        """Note what became of an owed event, and move the entry to its day. False when it was not owed any more."""
        changed = delivery_item(entry, delivery)
        sets = ", ".join(f"{name} = :{name}" for name in changed)
        values: Item = {f":{name}": value for name, value in changed.items()}
        values[":owed"] = DeliveryState.OWED.value
        key = keys.entry(entry.program, entry.member_id, entry.seq)
        return self._update(key, f"SET {sets}", "delivery = :owed", values)

    def mark_events(self, marks: Sequence[tuple[Entry, Delivery]]) -> None:
        """Note what became of many owed events, several at the same time.

        Each is a write of its own: a batch of conditional writes exists only as a transaction, at twice the units.

        Raises:
            Transient: some are not noted; noting all of them again is safe.
        """
        with ThreadPoolExecutor(max_workers=MARKS_AT_ONCE) as pool:
            for noted in [pool.submit(self.mark_event, entry, delivery) for entry, delivery in marks]:
                noted.result()

    def clear_profile(self, program: ProgramSlug, member_id: MemberId, version: int) -> bool:
        """Note that Klaviyo has the member's state of ``version``. False when a newer one exists."""
        return self._update(
            keys.member(program, member_id),
            "REMOVE profile_owed_since, feed_pk, feed_sk, profile_refused, profile_refused_check",
            "version = :version",
            {":version": version},
        )

    def refuse_profile(self, program: ProgramSlug, member_id: MemberId, version: int, why: str) -> bool:
        """Note that Klaviyo will not take the state of ``version``; the next change is owed again."""
        return self._update(
            keys.member(program, member_id),
            "SET profile_refused = :why, profile_refused_check = :check REMOVE profile_owed_since, feed_pk, feed_sk",
            "version = :version",
            {":version": version, ":why": why, ":check": refusal_check(member_id, why)},
        )

    def _update(self, key: Key, update: str, condition: str, values: Item) -> bool:
        return update_if(self._client, self._table, key, update, condition=condition, values=values)


def owed_members(
    client: DynamoDBClient, table: str, program: ProgramSlug, *, limit: int, newest_first: bool = False
) -> list[MemberId]:
    """Members whose newest state Klaviyo lacks, by the time since when; eventually consistent.

    Raises:
        Transient: storage is busy or out of reach.
    """
    owed: list[tuple[str, MemberId]] = []
    for shard in range(keys.OWED_SHARDS):
        with storage_errors():
            page = client.query(
                TableName=table,
                IndexName=keys.FEED_INDEX,
                KeyConditionExpression="feed_pk = :pk",
                ExpressionAttributeValues=wire({":pk": keys.owed_pk(program, "profile", shard)}),
                ScanIndexForward=not newest_first,
                Limit=limit,
            )
        owed += [(item["feed_sk"], MemberId(item["member_id"])) for item in map(plain, page["Items"])]
    return [member_id for _, member_id in sorted(owed, reverse=newest_first)[:limit]]
