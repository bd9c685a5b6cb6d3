"""How far replays are, on DynamoDB: one item a program, replaced if it is still the version that was read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.replay import Replay, ReplayState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoReplays:
    """Replays, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, program: ProgramSlug) -> Replay | None:
        """The newest replay of a program."""
        key = keys.replay(program)
        with storage_errors():
            answer = self._client.get_item(
                TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}), ConsistentRead=True
            )
        return _replay_of(plain(answer["Item"])) if "Item" in answer else None

    def save(self, replay: Replay) -> Replay:
        """Replace the version of a replay that was read; a new one, of version 0, replaces what is finished.

        Raises:
            Conflict: somebody else works on it, or another one is running.
        """
        stored = _next(replay)
        condition = "id = :id AND version = :version" if replay.version else "attribute_not_exists(pk) OR #state <> :on"
        values: Item = {":id": replay.id, ":version": replay.version} if replay.version else {":on": "running"}
        names: dict[str, Any] = {} if replay.version else {"ExpressionAttributeNames": {"#state": "state"}}
        with storage_errors():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=wire(_item(stored)),
                    ConditionExpression=condition,
                    ExpressionAttributeValues=wire(values),
                    **names,
                )
            except ClientError as error:
                if is_failed_condition(error):
                    raise Conflict("The replay changed meanwhile.", code="replay_changed") from error
                raise
        return stored


def _next(replay: Replay) -> Replay:
    return replace(replay, version=replay.version + 1)


def _item(replay: Replay) -> Item:
    key = keys.replay(replay.program)
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": "replay",
        "program": replay.program,
        "id": replay.id,
        "begin": utc_text(replay.begin),
        "end": utc_text(replay.end),
        "types": sorted(replay.types),
        "backfill": replay.backfill,
        "started_at": utc_text(replay.started_at),
        "day": replay.day.isoformat(),
        "place": replay.place,
        "looked": replay.looked,
        "owed": replay.owed,
        "state": replay.state.value,
        "version": replay.version,
        **({"finished_at": utc_text(replay.finished_at)} if replay.finished_at else {}),
    }


def _replay_of(item: Item) -> Replay:
    return Replay(
        id=item["id"],
        program=ProgramSlug(item["program"]),
        begin=parse_utc(item["begin"]),
        end=parse_utc(item["end"]),
        types=frozenset(item["types"]),
        backfill=item["backfill"],
        started_at=parse_utc(item["started_at"]),
        day=date.fromisoformat(item["day"]),
        place=item["place"],
        looked=item["looked"],
        owed=item["owed"],
        state=ReplayState(item["state"]),
        finished_at=parse_utc(item["finished_at"]) if "finished_at" in item else None,
        version=item["version"],
    )
