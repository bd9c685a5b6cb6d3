"""Items that are replaced as a whole, only by whoever has seen the newest version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.typed_json import Item, wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef

    from loyalty.domain.errors import Conflict


def put_version(client: DynamoDBClient, table: str, item: Item, *, before: int, otherwise: Conflict) -> None:
    """Store an item over the one of version ``before``, 0 for none.

    Raises:
        Conflict: ``otherwise``, where another version is stored.
        Transient: storage is out of reach.
    """
    with storage_errors():
        try:
            client.put_item(**version_put(table, item, before=before))
        except ClientError as error:
            if is_failed_condition(error):
                raise otherwise from error
            raise


def version_put(table: str, item: Item, *, before: int) -> PutTypeDef:
    """Such a write as DynamoDB takes it, alone or in a transaction."""
    put: PutTypeDef = {
        "TableName": table,
        "Item": wire(item),
        "ConditionExpression": "attribute_not_exists(version)",
    }
    if before:
        put["ConditionExpression"] = "version = :before"
        put["ExpressionAttributeValues"] = wire({":before": before})
    return put
