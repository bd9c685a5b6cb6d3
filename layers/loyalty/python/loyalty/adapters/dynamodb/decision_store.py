"""Review decisions on DynamoDB: the newest one a review, for reviews that earned nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import plain, wire
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.reviews import ReviewDecision

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDecisions:
    """Why reviews earned nothing, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def save(self, program: ProgramSlug, decision: ReviewDecision) -> None:
        """Keep the newest decision on a review."""
        key = keys.decision(program, decision.review_key)
        item = asdict(decision) | {"decided_at": utc_text(decision.decided_at)}
        with storage_errors():
            self._client.put_item(
                TableName=self._table,
                Item=wire({"pk": key.pk, "sk": key.sk, "type": "decision", "program": program, **item}),
            )

    def load(self, program: ProgramSlug, review_key: str) -> ReviewDecision | None:
        """The newest decision on a review."""
        key = keys.decision(program, review_key)
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}))
        if "Item" not in answer:
            return None
        item = plain(answer["Item"])
        facts = {name: item[name] for name in ReviewDecision.__dataclass_fields__}
        return ReviewDecision(**facts | {"decided_at": parse_utc(item["decided_at"])})
