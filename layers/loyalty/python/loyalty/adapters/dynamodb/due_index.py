"""The due index on DynamoDB: members by shard and next due time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import member_of
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.typed_json import plain, wire
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.due import next_due
from loyalty.domain.moments import parse_utc
from loyalty.domain.program import Program
from loyalty.ports import DueMember

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDueIndex:
    """Who needs attention, in the one table. Reading costs by what is due, whoever else there is."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def due(self, shard: int, until: datetime, *, after: str, limit: int) -> list[DueMember]:
        """Members of a shard due at or before ``until``, soonest first, from behind position ``after`` on.

        Positions are opaque. Nothing due costs one read of half a unit.

        Raises:
            Transient: storage is busy or out of reach.
        """
        with storage_errors():
            page = self._client.query(
                TableName=self._table,
                IndexName=keys.DUE_INDEX,
                KeyConditionExpression="due_pk = :pk AND due_sk BETWEEN :after AND :until",
                ExpressionAttributeValues=wire(
                    {":pk": keys.due_shard_pk(shard), ":after": after or " ", ":until": keys.due_until(until)}
                ),
                Limit=limit + 1,
            )
        items = [plain(item) for item in page["Items"]]
        return [
            DueMember(
                program=ProgramSlug(item["program"]),
                member_id=MemberId(item["member_id"]),
                due_at=parse_utc(item["due_sk"].partition("#")[0]),
                position=item["due_sk"],
            )
            for item in items
            if item["due_sk"] != after
        ][:limit]

    def correct(self, program: Program, member_id: MemberId) -> int:
        """Move a member to when it is due under the program's present terms, if that is elsewhere; 0, as no act.

        A program may change its time zone or thresholds without every member being written.
        """
        key = wire({"pk": keys.member_pk(program.slug, member_id), "sk": "MEMBER"})
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            return 0
        stored = plain(answer["Item"])
        due_at = next_due(member_of(stored), program.terms)
        wanted = keys.due_sk(program.slug, member_id, due_at) if due_at else None
        if wanted != stored.get("due_sk"):
            self._move(key, wanted, keys.due_pk(member_id), stored["version"])
        return 0

    def _move(self, key: dict[str, Any], wanted: str | None, shard: str, version: int) -> None:
        change: dict[str, Any] = {"UpdateExpression": "REMOVE due_pk, due_sk"}
        values: dict[str, Any] = {":version": version}
        if wanted:
            change = {"UpdateExpression": "SET due_pk = :pk, due_sk = :sk"}
            values |= {":pk": shard, ":sk": wanted}
        with storage_errors():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    ConditionExpression="version = :version",
                    ExpressionAttributeValues=wire(values),
                    **change,
                )
            except ClientError as error:
                # Changed meanwhile: that change has written its own due time.
                if not is_failed_condition(error):
                    raise
