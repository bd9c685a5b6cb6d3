"""How many events Klaviyo has taken by type, on DynamoDB: one item a program, one write for a worker's run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.packing import milliseconds, moment_of
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.delivery_ports import Sent
from loyalty.domain.errors import LoyaltyError
from loyalty.domain.identity import ProgramSlug

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVENTS, LAST = "events_", "last_"
"""What the names of the two attributes of a type begin with."""


class DynamoSentEvents:
    """The figures, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, program: ProgramSlug, events: Mapping[str, int], at: datetime) -> None:
        """Klaviyo took so many events of these types."""
        types = sorted(events)
        names = {f"#{place}{number}": place + each for number, each in enumerate(types) for place in (EVENTS, LAST)}
        values: Item = {f":{number}": events[each] for number, each in enumerate(types)}
        adds = ", ".join(f"#{EVENTS}{number} :{number}" for number in range(len(types)))
        sets = ", ".join(f"#{LAST}{number} = :at" for number in range(len(types)))
        key = keys.sent_events(program)
        with suppress(LoyaltyError), storage_errors():
            self._client.update_item(
                TableName=self._table,
                Key=wire({"pk": key.pk, "sk": key.sk}),
                UpdateExpression=f"SET #type = :type, program = :program, {sets} ADD {adds}",
                ExpressionAttributeNames={"#type": "type", **names},
                ExpressionAttributeValues=wire(
                    {**values, ":type": "sent_events", ":program": program, ":at": milliseconds(at)}
                ),
            )

    def of(self, program: ProgramSlug) -> dict[str, Sent]:
        """The figures by event type.

        Raises:
            Transient: storage is out of reach.
        """
        key = keys.sent_events(program)
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}))
        item = plain(answer.get("Item", {}))
        types = [name.removeprefix(EVENTS) for name in item if name.startswith(EVENTS)]
        return {each: Sent(item[EVENTS + each], moment_of(item[LAST + each])) for each in types}
