"""Settings on DynamoDB, replaced version by version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb.program_store import settings_item
from loyalty.adapters.dynamodb.versions import put_version
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
        overtaken = Conflict("The settings changed meanwhile.", code="settings_changed")
        put_version(self._client, self._table, settings_item(program), before=program.version - 1, otherwise=overtaken)
