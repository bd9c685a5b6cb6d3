"""Requests counted by key and minute on DynamoDB.

One conditional update a request, so the limit holds however many processes serve it at the same moment. The counts are
deleted by their time to live. Windows are whole minutes: around the turn of one, twice the limit may pass in a minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.typed_json import wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_FOR = timedelta(hours=1)


class DynamoRequestCounter:
    """Request counts in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def take(self, key_id: str, limit: int, now: datetime) -> bool:
        """Count one request; False when the key has made ``limit`` of them in this minute."""
        where = keys.request_count(key_id, now)
        with storage_errors():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=wire({"pk": where.pk, "sk": where.sk}),
                    UpdateExpression="ADD requests :one SET expires_at = :gone, #type = :type",
                    ConditionExpression="attribute_not_exists(requests) OR requests < :limit",
                    ExpressionAttributeNames={"#type": "type"},
                    ExpressionAttributeValues=wire(
                        {
                            ":one": 1,
                            ":limit": limit,
                            ":gone": int((now + KEPT_FOR).timestamp()),
                            ":type": "request_count",
                        }
                    ),
                )
            except ClientError as error:
                if is_failed_condition(error):
                    return False
                raise
        return True
