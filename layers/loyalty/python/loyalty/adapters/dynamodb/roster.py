"""The roster on DynamoDB: a narrow index of each program's members, written once for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import member_of
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.reading import read_items
from loyalty.adapters.dynamodb.typed_json import wire
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.profile_ports import Enrolled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoRoster:
    """Who is in a program, in the one table. Reading costs by what is asked for, whatever the table holds."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def count(self, program: ProgramSlug) -> int:
        """How many members a program has, erased and merged ones too.

        Raises:
            Transient: storage is busy or out of reach.
        """
        pages = self._client.get_paginator("query").paginate(**self._query(program), Select="COUNT")
        with storage_errors():
            return sum(page["Count"] for page in pages)

    def page(self, program: ProgramSlug, *, after: str, limit: int) -> tuple[list[Enrolled], str]:
        """Members in the order of their ids, from behind the id ``after`` on, and what the next page is after.

        The last page is after "".

        Raises:
            Transient: storage is busy or out of reach.
        """
        request = self._query(program) | {"Limit": limit}
        if after:
            request["ExclusiveStartKey"] = _position(program, MemberId(after))
        with storage_errors():
            page = self._client.query(**request)
        ids = [MemberId(item["member_id"]["S"]) for item in page["Items"]]
        found = read_items(self._client, self._table, [keys.member(program, member_id) for member_id in ids])
        enrolled = [Enrolled(member_of(item), "profile_owed_since" in item) for item in found]
        enrolled.sort(key=lambda each: each.member.member_id)
        return enrolled, ids[-1] if page.get("LastEvaluatedKey") else ""

    def ids(self, program: ProgramSlug, *, after: str, limit: int) -> list[MemberId]:
        """Member ids in their order, from behind the id ``after`` on; none at the end. Reads no member.

        Raises:
            Transient: storage is busy or out of reach.
        """
        request = self._query(program) | {"Limit": limit, "ProjectionExpression": "member_id"}
        if after:
            request["ExclusiveStartKey"] = _position(program, MemberId(after))
        with storage_errors():
            page = self._client.query(**request)
        return [MemberId(item["member_id"]["S"]) for item in page["Items"]]

    def _query(self, program: ProgramSlug) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "IndexName": keys.ROSTER_INDEX,
            "KeyConditionExpression": "roster_pk = :pk",
            "ExpressionAttributeValues": wire({":pk": keys.roster_pk(program)}),
        }


def _position(program: ProgramSlug, after: MemberId) -> dict[str, Any]:
    """Where in the index a member stands, there or not."""
    key = keys.member(program, after)
    return wire({"pk": key.pk, "sk": key.sk, "roster_pk": keys.roster_pk(program), "member_id": after})
