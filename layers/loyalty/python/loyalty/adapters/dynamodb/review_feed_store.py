"""Review apps beside Klaviyo on DynamoDB: an item each in the program's partition, which one query reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import Item, wire
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.reviews import ReviewSource

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TYPE = "review_feed"


class DynamoReviewFeeds:
    """Feeds of reviews, in the one table; ``DynamoPrograms.load`` reads them."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def save_feed(self, program: ProgramSlug, feed: ReviewFeed) -> ReviewFeed:
        """Replace the version that was read; the first has version 0. Answers it as stored.

        Raises:
            Conflict: somebody else changed it meanwhile.
        """
        stored = replace(feed, version=feed.version + 1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if feed.version:
            values = wire({":version": feed.version})
            condition = {"ConditionExpression": "version = :version", "ExpressionAttributeValues": values}
        with storage_errors():
            try:
                self._client.put_item(TableName=self._table, Item=wire(_item(program, stored)), **condition)
            except ClientError as error:
                if is_failed_condition(error):
                    raise Conflict("The review app was changed meanwhile.", code="review_feed_changed") from error
                raise
        return stored


def feed_of(item: Item) -> ReviewFeed:
    """The feed that an item describes."""
    return ReviewFeed(
        source=ReviewSource(item["source"]),
        since=parse_utc(item["since"]),
        secrets=tuple(item["secrets"]),
        version=item["version"],
    )


def _item(program: ProgramSlug, feed: ReviewFeed) -> Item:
    key = keys.review_feed(program, feed.source.value)
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": TYPE,
        "program": program,
        "source": feed.source.value,
        "since": utc_text(feed.since),
        "secrets": list(feed.secrets),
        "version": feed.version,
    }
