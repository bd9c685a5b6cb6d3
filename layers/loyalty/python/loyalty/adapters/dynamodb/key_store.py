"""API keys on DynamoDB: each under its id, and once more in the list of its program."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.keys import Key
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.api_keys import ApiKey, Scope
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REVOKED_SHOWN_DAYS = 90
"""How long a revoked key stays in its program's list."""


class DynamoKeys:
    """API keys in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, key: ApiKey) -> None:
        """Store a new key."""
        listed = keys.api_key_listed(key.program, key.key_id)
        pointer = {"pk": listed.pk, "sk": listed.sk, "type": "api_key_listed", "program": key.program}
        puts = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": wire(item),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
            for item in (key_item(key), pointer)
        ]
        with storage_errors():
            self._client.transact_write_items(TransactItems=puts)  # type: ignore[arg-type]

    def load(self, key_id: str) -> ApiKey | None:
        """A key by its id, revoked ones too."""
        where = keys.api_key(key_id)
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=_primary(where), ConsistentRead=True)
        return key_of(plain(answer["Item"])) if "Item" in answer else None

    def all_of(self, program: ProgramSlug) -> list[ApiKey]:
        """A program's keys, oldest first."""
        with storage_errors():
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=wire({":pk": keys.api_keys_pk(program)}),
                ConsistentRead=True,
            )
        found = [self.load(plain(item)["sk"]) for item in page["Items"]]
        return sorted((key for key in found if key), key=lambda key: (key.created_at, key.key_id))

    def revoke(self, key: ApiKey, at: datetime) -> ApiKey:
        """Let a key open nothing any more; one that is revoked already stays as it is. The key as it is then."""
        gone = int((at + timedelta(days=REVOKED_SHOWN_DAYS)).timestamp())
        with storage_errors():
            answer = self._client.update_item(
                TableName=self._table,
                Key=_primary(keys.api_key(key.key_id)),
                UpdateExpression="SET revoked_at = if_not_exists(revoked_at, :at), "
                "expires_at = if_not_exists(expires_at, :gone)",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeValues=wire({":at": utc_text(at), ":gone": gone}),
                ReturnValues="ALL_NEW",
            )
            revoked = plain(answer["Attributes"])
            self._client.update_item(
                TableName=self._table,
                Key=_primary(keys.api_key_listed(key.program, key.key_id)),
                UpdateExpression="SET expires_at = :gone",
                ExpressionAttributeValues=wire({":gone": revoked["expires_at"]}),
            )
        return key_of(revoked)

    def note_use(self, key: ApiKey, at: datetime) -> None:
        """Remember when a key was last used."""
        with storage_errors():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_primary(keys.api_key(key.key_id)),
                    UpdateExpression="SET last_used_at = :at",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues=wire({":at": utc_text(at)}),
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise


def key_item(key: ApiKey) -> Item:
    """A key as an item; what is empty is left out."""
    where = keys.api_key(key.key_id)
    optional = {
        "last_used_at": utc_text(key.last_used_at) if key.last_used_at else "",
        "revoked_at": utc_text(key.revoked_at) if key.revoked_at else "",
        "replaces": key.replaces,
    }
    return {
        "pk": where.pk,
        "sk": where.sk,
        "type": "api_key",
        "key_id": key.key_id,
        "program": key.program,
        "name": key.name,
        "scopes": sorted(scope.value for scope in key.scopes),
        "salt": key.salt,
        "digest": key.digest,
        "created_at": utc_text(key.created_at),
        "per_minute": key.per_minute,
        **{name: value for name, value in optional.items() if value},
    }


def key_of(item: Item) -> ApiKey:
    """The key an item describes."""
    used, revoked = item.get("last_used_at"), item.get("revoked_at")
    return ApiKey(
        key_id=item["key_id"],
        program=ProgramSlug(item["program"]),
        name=item["name"],
        scopes=frozenset(map(Scope, item["scopes"])),
        salt=item["salt"],
        digest=item["digest"],
        created_at=parse_utc(item["created_at"]),
        per_minute=item["per_minute"],
        last_used_at=parse_utc(used) if used else None,
        revoked_at=parse_utc(revoked) if revoked else None,
        replaces=item.get("replaces", ""),
    )


def _primary(key: Key) -> dict[str, Any]:
    return wire({"pk": key.pk, "sk": key.sk})
