"""Full syncs on DynamoDB: one item a program, each change of it conditional on what was read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.conditional import update_if
from loyalty.adapters.dynamodb.contended import transact
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.errors import Conflict
from loyalty.domain.full_sync import FullSync, SyncState
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.profile_jobs import ProfileJob

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UpdateTypeDef

_RUNNING = {":running": SyncState.RUNNING.value}


class DynamoFullSyncs:
    """The newest full sync of each program, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, program: ProgramSlug) -> FullSync | None:
        """The newest one, consistently read."""
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=self._key(program), ConsistentRead=True)
        return _sync_of(plain(answer["Item"])) if "Item" in answer else None

    def begin(self, sync: FullSync) -> None:
        """Keep a new one.

        Raises:
            Conflict: another one is running.
        """
        key = keys.full_sync(sync.program)
        with storage_errors():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=wire({"pk": key.pk, "sk": key.sk, **_item(sync)}),
                    ConditionExpression="attribute_not_exists(pk) OR #state <> :running",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues=wire(_RUNNING),
                )
            except ClientError as error:
                if is_failed_condition(error):
                    raise Conflict("A full sync is running already.", code="sync_running") from error
                raise

    def advance(self, before: FullSync, after: FullSync, jobs: Sequence[ProfileJob]) -> None:
        """Move a running one on from where it was, with the jobs that were sent for that, which it counts from now on.

        Raises:
            Conflict: it was moved on, or ended, by somebody else.
            Transient: jobs that end kept changing it, or storage is out of reach.
        """
        move: UpdateTypeDef = {
            "TableName": self._table,
            "Key": self._key(before.program),
            "UpdateExpression": (
                "SET #position = :position, walked_all = :walked_all, skipped = :skipped, moved_at = :at, "
                "trouble = :none ADD open_jobs :jobs, done :done, failed :failed"
            ),
            "ConditionExpression": "id = :id AND #state = :running AND #position = :before AND walked_all = :not_yet",
            "ExpressionAttributeNames": {"#state": "state", "#position": "position"},
            "ExpressionAttributeValues": wire(
                {
                    **_RUNNING,
                    ":id": before.id,
                    ":before": before.position,
                    ":not_yet": False,
                    ":position": after.position,
                    ":walked_all": after.walked_all,
                    ":skipped": dict(after.skipped),
                    ":at": utc_text(after.moved_at or after.started_at),
                    ":none": "",
                    ":jobs": len(jobs),
                    ":done": after.done - before.done,
                    ":failed": after.failed - before.failed,
                }
            ),
        }
        counted: list[TransactWriteItemTypeDef] = [{"Update": self._counted(job)} for job in jobs]
        if transact(self._client, [{"Update": move}, *counted]):
            raise Conflict("The full sync was moved on by another worker.", code="sync_moved")

    def note(self, sync: FullSync, at: datetime) -> None:
        """Keep that it was worked on, how many members there are, and how many a request may hold; what it waits for.

        Nothing happens once it ended.
        """
        values: Item = {":id": sync.id, ":at": utc_text(at), ":trouble": sync.trouble, ":most": sync.most, **_RUNNING}
        counted = ""
        if sync.total is not None:
            values, counted = {**values, ":total": sync.total}, ", #total = :total"
        self._change(sync.program, f"SET moved_at = :at, trouble = :trouble, most = :most{counted}", values)

    def end(self, sync: FullSync, state: SyncState, at: datetime) -> bool:
        """End a running one; False when it is not running any more."""
        values = {":id": sync.id, ":state": state.value, ":at": utc_text(at), ":none": "", **_RUNNING}
        return self._change(sync.program, "SET #state = :state, ended_at = :at, trouble = :none", values)

    def _change(self, program: ProgramSlug, update: str, values: Item) -> bool:
        names = {"#state": "state"} | ({"#total": "total"} if ":total" in values else {})
        condition = "id = :id AND #state = :running"
        key = keys.full_sync(program)
        return update_if(self._client, self._table, key, update, condition=condition, values=values, names=names)

    def _counted(self, job: ProfileJob) -> UpdateTypeDef:
        key = keys.profile_job(job.program, job.id)
        return {
            "TableName": self._table,
            "Key": wire({"pk": key.pk, "sk": key.sk}),
            "UpdateExpression": "SET counted = :counted",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": wire({":counted": True}),
        }

    def _key(self, program: ProgramSlug) -> dict[str, Any]:
        key = keys.full_sync(program)
        return wire({"pk": key.pk, "sk": key.sk})


def _item(sync: FullSync) -> Item:
    return {
        "type": "full_sync",
        "program": sync.program,
        "id": sync.id,
        "started_at": utc_text(sync.started_at),
        "state": sync.state.value,
        "position": sync.position,
        "walked_all": sync.walked_all,
        "skipped": dict(sync.skipped),
        "done": sync.done,
        "failed": sync.failed,
        "open_jobs": sync.open_jobs,
        "trouble": sync.trouble,
        "most": sync.most,
        **({"total": sync.total} if sync.total is not None else {}),
        **({"moved_at": utc_text(sync.moved_at)} if sync.moved_at else {}),
        **({"ended_at": utc_text(sync.ended_at)} if sync.ended_at else {}),
    }


def _sync_of(item: Item) -> FullSync:
    return FullSync(
        program=ProgramSlug(item["program"]),
        id=item["id"],
        started_at=parse_utc(item["started_at"]),
        state=SyncState(item["state"]),
        total=item.get("total"),
        position=item["position"],
        walked_all=item["walked_all"],
        skipped=item["skipped"],
        done=item["done"],
        failed=item["failed"],
        open_jobs=item["open_jobs"],
        moved_at=parse_utc(item["moved_at"]) if "moved_at" in item else None,
        ended_at=parse_utc(item["ended_at"]) if "ended_at" in item else None,
        trouble=item["trouble"],
        most=item.get("most", 0),
    )
