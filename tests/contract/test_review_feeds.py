"""Another review app's access: read with its program, and replaced only by whoever read it last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loyalty.adapters.dynamodb.review_feed_store import DynamoReviewFeeds
from loyalty.domain.errors import Conflict
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.reviews import ReviewSource
from tests.builders import a_program
from tests.contract.storage import TableStorage
from tests.fakes.clocks import START

FEED = ReviewFeed(ReviewSource.JUDGEME, START, (b"sealed",))


def test_a_program_is_read_with_its_review_apps(table_storage: TableStorage) -> None:
    """R188; the program itself stays as it is."""
    programs, program = table_storage.programs, a_program(connection=None)
    programs.create(program)
    stored = DynamoReviewFeeds(table_storage.client, table_storage.table).save_feed(program.slug, FEED)
    loaded = programs.load(program.slug)
    assert loaded == replace(program, feeds=(stored,))
    assert stored == replace(FEED, version=1)


def test_only_the_version_that_was_read_is_replaced(table_storage: TableStorage) -> None:
    feeds, program = DynamoReviewFeeds(table_storage.client, table_storage.table), a_program()
    stored = feeds.save_feed(program.slug, FEED)
    for outdated in (FEED, replace(stored, version=9)):
        with pytest.raises(Conflict):
            feeds.save_feed(program.slug, outdated)
    assert feeds.save_feed(program.slug, replace(stored, secrets=())).version == 2
