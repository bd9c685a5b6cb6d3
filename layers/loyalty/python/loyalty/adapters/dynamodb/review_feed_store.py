"""Review apps beside Klaviyo on DynamoDB: an item each in the program's partition, which one query reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.typed_json import Item
from loyalty.adapters.dynamodb.versions import put_version
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
        overtaken = Conflict("The review app was changed meanwhile.", code="review_feed_changed")
        put_version(self._client, self._table, _item(program, stored), before=feed.version, otherwise=overtaken)
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
