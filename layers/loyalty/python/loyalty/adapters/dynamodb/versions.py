"""Items that are replaced as a whole, only by whoever has seen the newest version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb.codec import Item, wire
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from loyalty.domain.errors import Conflict


def put_version(client: DynamoDBClient, table: str, item: Item, *, before: int, otherwise: Conflict) -> None:
    """Store an item over the one of version ``before``, 0 for none.

    Raises:
        Conflict: ``otherwise``, where another version is stored.
        Transient: storage is out of reach.
    """
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
    if before:
        values = wire({":before": before})
        condition = {"ConditionExpression": "version = :before", "ExpressionAttributeValues": values}
    with storage_errors():
        try:
            client.put_item(TableName=table, Item=wire(item), **condition)
        except ClientError as error:
            if is_failed_condition(error):
                raise otherwise from error
            raise
