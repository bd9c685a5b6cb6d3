"""Settings on DynamoDB, replaced version by version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb.codec import wire
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.program_store import settings_item
from loyalty.domain.errors import Conflict
from loyalty.domain.program import Program

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoSettings:
    """Settings of programs, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def replace(self, program: Program) -> None:
        """Store a program's settings over the version before.

        Raises:
            Conflict: another version is stored.
        """
        with storage_errors():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=wire(settings_item(program)),
                    ConditionExpression="version = :before",
                    ExpressionAttributeValues=wire({":before": program.version - 1}),
                )
            except ClientError as error:
                if is_failed_condition(error):
                    raise Conflict("The settings changed meanwhile.", code="settings_changed") from error
                raise
