"""The outbox marks of many members at a time: one update each, many of them at once.

A batch of updates has no conditions, and a transaction costs double; so it is single updates, side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.conditional import update_if
from loyalty.adapters.dynamodb.outbox import DynamoOutbox, owed_members
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.moments import utc_text
from loyalty.domain.profile_jobs import SentProfile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CALLS_AT_ONCE = 16

_Work = TypeVar("_Work")
_Done = TypeVar("_Done")


class DynamoProfileMarks:
    """Marks of profiles, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._outbox = DynamoOutbox(client, table)

    def clear(self, program: ProgramSlug, sent: Collection[SentProfile]) -> list[MemberId]:
        """Note that Klaviyo has taken these states; the members that have a newer one by now, which stay owed."""

        def clear_one(each: SentProfile) -> bool:
            return self._outbox.clear_profile(program, each.member_id, each.version)

        cleared = _side_by_side(clear_one, sent)
        return [each.member_id for each, done in zip(sent, cleared, strict=True) if not done]

    def refuse(self, program: ProgramSlug, refused: Mapping[SentProfile, str]) -> None:
        """Note that Klaviyo will not take these states, and why; newer states are owed."""

        def refuse_one(each: SentProfile) -> bool:
            return self._outbox.refuse_profile(program, each.member_id, each.version, refused[each])

        _side_by_side(refuse_one, refused)

    def newest(self, program: ProgramSlug, *, limit: int) -> list[MemberId]:
        """Members whose newest state Klaviyo lacks, those owed shortest first."""
        return owed_members(self._client, self._table, program, limit=limit, newest_first=True)

    def owe(self, program: ProgramSlug, member_ids: Collection[MemberId], now: datetime) -> None:
        """Let the profiles of members that have an address be owed; those that are already stay as they are."""

        def owe_one(member_id: MemberId) -> None:
            self._owe(program, member_id, now)

        _side_by_side(owe_one, member_ids)

    def _owe(self, program: ProgramSlug, member_id: MemberId, now: datetime) -> None:
        marks = {
            "profile_owed_since": utc_text(now),
            "feed_pk": keys.owed_profile_pk(program, member_id),
            "feed_sk": keys.profile_feed_sk(member_id, now),
        }
        update_if(
            self._client,
            self._table,
            keys.member(program, member_id),
            "SET " + ", ".join(f"{name} = :{name}" for name in marks),
            condition="attribute_exists(email) AND attribute_not_exists(profile_owed_since)",
            values={f":{name}": value for name, value in marks.items()},
        )


def _side_by_side(work: Callable[[_Work], _Done], pieces: Collection[_Work]) -> list[_Done]:
    if len(pieces) <= 1:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(max_workers=min(CALLS_AT_ONCE, len(pieces))) as pool:
        return list(pool.map(work, pieces))
