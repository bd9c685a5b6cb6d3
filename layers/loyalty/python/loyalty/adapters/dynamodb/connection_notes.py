"""When connections last worked, on DynamoDB: one item a program, written at most once a minute by each process."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.typed_json import plain, wire
from loyalty.connection_ports import LastSeen
from loyalty.domain.errors import LoyaltyError
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOTED_EVERY = timedelta(minutes=1)


class DynamoConnectionNotes:
    """The notes, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._noted: dict[tuple[ProgramSlug, str], datetime] = {}

    def succeeded(self, program: ProgramSlug, at: datetime) -> None:
        """Klaviyo took something."""
        self._note(program, "success_at", at)

    def delivered(self, program: ProgramSlug, at: datetime) -> None:
        """Klaviyo made an authentic delivery."""
        self._note(program, "delivery_at", at)

    def last_seen(self, program: ProgramSlug) -> LastSeen:
        """What was noted.

        Raises:
            Transient: storage is out of reach.
        """
        key = keys.connection_notes(program)
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}))
        item = plain(answer.get("Item", {}))
        return LastSeen(*(parse_utc(item[name]) if name in item else None for name in ("success_at", "delivery_at")))

    def _note(self, program: ProgramSlug, what: str, at: datetime) -> None:
        noted = self._noted.get((program, what))
        if noted is not None and at - noted < NOTED_EVERY:
            return
        self._noted[program, what] = at
        key = keys.connection_notes(program)
        with suppress(LoyaltyError), storage_errors():
            self._client.update_item(
                TableName=self._table,
                Key=wire({"pk": key.pk, "sk": key.sk}),
                UpdateExpression=f"SET #type = :type, program = :program, {what} = :at",
                ExpressionAttributeNames={"#type": "type"},
                ExpressionAttributeValues=wire({":type": "health", ":program": program, ":at": utc_text(at)}),
            )
