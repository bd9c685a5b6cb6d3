"""Changes of an item that happen only if it still is what it is taken for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.keys import Key
from loyalty.adapters.dynamodb.typed_json import Item, wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def update_if(
    client: DynamoDBClient,
    table: str,
    key: Key,
    update: str,
    *,
    condition: str,
    values: Item,
    names: Mapping[str, str] | None = None,
) -> bool:
    """Change an item; False when the condition does not hold, and nothing is changed.

    Raises:
        Transient: storage is busy or out of reach.
    """
    named: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    with storage_errors():
        try:
            client.update_item(
                TableName=table,
                Key=wire({"pk": key.pk, "sk": key.sk}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=wire(values),
                **named,
            )
        except ClientError as error:
            if is_failed_condition(error):
                return False
            raise
    return True
