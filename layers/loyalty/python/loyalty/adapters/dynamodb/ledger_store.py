"""The ledger's port on DynamoDB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import entry_of, member_of
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.key_record_item import record_of
from loyalty.adapters.dynamodb.keys import Key
from loyalty.adapters.dynamodb.transactions import cancelled, writes_of
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.identity import MemberId, ProgramSlug, alias_digest
from loyalty.domain.ledger.commands import CommandKey
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.ports import Claim, KeyRecord, Plan, Redirect

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoLedger:
    """Members, journals and idempotency records in the one table. Every read here is consistent."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        """The member stored under an id, or where it points."""
        item = self._get(keys.member(program, member_id))
        if item is None:
            return None
        return Redirect(MemberId(item["member_id"])) if item["type"] == "redirect" else member_of(item)

    def claimed_by(self, program: Program, kind: str, value: str) -> MemberId | None:
        """The member an external id or phone number points at."""
        item = self._get(keys.alias(program.slug, kind, alias_digest(program.id_key, kind, value)))
        return MemberId(item["member_id"]) if item else None

    def entry(self, program: ProgramSlug, member_id: MemberId, seq: int) -> Entry | None:
        """One entry of a journal."""
        item = self._get(keys.entry(program, member_id, seq))
        return entry_of(item) if item else None

    def journal(self, program: ProgramSlug, member_id: MemberId, *, after: int = 0) -> Iterator[Entry]:
        """A member's entries, oldest first, from number ``after`` + 1 on."""
        bounds = (keys.entry_sk(after + 1), keys.entry_sk(9_999_999_999))
        for item in self._query(keys.member_pk(program, member_id), bounds, forward=True, limit=None):
            yield entry_of(item)

    def latest(self, program: ProgramSlug, member_id: MemberId, *, before: int | None, limit: int) -> list[Entry]:
        """A member's entries, newest first (R182)."""
        last = 9_999_999_999 if before is None else max(0, before - 1)
        bounds = (keys.entry_sk(0), keys.entry_sk(last))
        items = self._query(keys.member_pk(program, member_id), bounds, forward=False, limit=limit)
        return [entry_of(item) for item in items]

    def record(self, program: ProgramSlug, key: CommandKey) -> KeyRecord | None:
        """The record of a command carried out before."""
        item = self._get(keys.record(program, key.text))
        return record_of(item) if item else None

    def forget_addresses(self, program: Program, claims: Iterable[Claim], redirects: Iterable[MemberId]) -> None:
        """Let the external ids and phone numbers that these members have, and former addresses, lead nowhere."""
        for claim in claims:
            digest = alias_digest(program.id_key, claim.kind, claim.value)
            self._delete_if(keys.alias(program.slug, claim.kind, digest), "member_id", claim.member_id)
        for member_id in redirects:
            self._delete_if(keys.member(program.slug, member_id), "type", "redirect")

    def forget_words(self, entry: Entry) -> None:
        """Remove an entry's erasable words; its place in the chain stays."""
        key = keys.entry(entry.program, entry.member_id, entry.seq)
        with storage_errors():
            self._client.update_item(
                TableName=self._table,
                Key=wire({"pk": key.pk, "sk": key.sk}),
                UpdateExpression="REMOVE #private",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeNames={"#private": "private"},
            )

    def commit(self, plan: Plan) -> None:
        """Carry out a plan in one transaction; see the port for errors."""
        writes = writes_of(plan, self._table)
        with storage_errors():
            try:
                self._client.transact_write_items(TransactItems=[write.request for write in writes])  # type: ignore[misc]
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "TransactionCanceledException":
                    raise
                meaning = cancelled(error, writes)
                if meaning is None:
                    raise
                raise meaning from error

    def _delete_if(self, key: Key, attribute: str, value: str) -> None:
        """Delete an item if it still is what was meant; somebody else's stays."""
        with storage_errors():
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key=wire({"pk": key.pk, "sk": key.sk}),
                    ConditionExpression="attribute_not_exists(pk) OR #attribute = :value",
                    ExpressionAttributeNames={"#attribute": attribute},
                    ExpressionAttributeValues=wire({":value": value}),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise

    def _get(self, key: Key) -> Item | None:
        with storage_errors():
            answer = self._client.get_item(
                TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}), ConsistentRead=True
            )
        return plain(answer["Item"]) if "Item" in answer else None

    def _query(self, pk: str, bounds: tuple[str, str], *, forward: bool, limit: int | None) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": wire({":pk": pk, ":first": bounds[0], ":last": bounds[1]}),
            "ConsistentRead": True,
            "ScanIndexForward": forward,
        }
        while True:
            if limit is not None:
                request["Limit"] = limit
            with storage_errors():
                page = self._client.query(**request)
            yield from (plain(item) for item in page["Items"])
            if limit is not None:
                limit -= len(page["Items"])
            if "LastEvaluatedKey" not in page or limit == 0:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
