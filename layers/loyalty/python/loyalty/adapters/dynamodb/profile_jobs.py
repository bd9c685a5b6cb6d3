"""Bulk imports of profiles on DynamoDB: a small item for each, and what it holds beside it.

What a job holds is written once, some 20 bytes a member, and goes by its time to live, which costs nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.conditional import update_if
from loyalty.adapters.dynamodb.contended import transact
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.keys import Key
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.profile_jobs import ProfileJob, SentProfile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

KEPT_FOR = timedelta(days=30)
"""Klaviyo forgets a job after seven days (docs/klaviyo.md 4)."""


class DynamoProfileJobs:
    """Bulk imports whose end has not been seen, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def begin(self, job: ProfileJob, sent: Sequence[SentProfile]) -> None:
        """Keep a job that is about to be sent, so that it is known whatever happens."""
        expires_at = int((job.sent_at + KEPT_FOR).timestamp())
        text = "\n".join(f"{each.member_id} {each.version}" for each in sent)
        contents = {"type": "job_contents", "members": zlib.compress(text.encode()), "expires_at": expires_at}
        self._put(keys.job_contents(job.program, job.id), contents)
        self._put(keys.profile_job(job.program, job.id), _item(job) | {"expires_at": expires_at})

    def accepted(self, job: ProfileJob) -> None:
        """Keep Klaviyo's id of a job that it took."""
        self._note(job, "klaviyo_id", job.klaviyo_id)

    def looked(self, job: ProfileJob, at: datetime) -> None:
        """Keep when somebody last looked at a job, to come back if it has not ended."""
        self._note(job, "looked_at", utc_text(at))

    def forget(self, job: ProfileJob) -> None:
        """Drop a job that Klaviyo did not take."""
        with storage_errors():
            self._client.delete_item(TableName=self._table, Key=_wired(keys.profile_job(job.program, job.id)))

    def load(self, program: ProgramSlug, job_id: str) -> ProfileJob | None:
        """A job by our id; None once it is closed."""
        item = self._get(keys.profile_job(program, job_id))
        return _job_of(item) if item else None

    def open(self, program: ProgramSlug) -> list[ProfileJob]:
        """A program's jobs, oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :job)",
            ExpressionAttributeValues=wire({":pk": keys.profile_jobs_pk(program), ":job": "JOB-"}),
            ConsistentRead=True,
        )
        with storage_errors():
            jobs = [_job_of(plain(item)) for page in pages for item in page["Items"]]
        return sorted(jobs, key=lambda job: (job.sent_at, job.id))

    def sent(self, job: ProfileJob) -> list[SentProfile]:
        """What a job holds, in the order of its request."""
        item = self._get(keys.job_contents(job.program, job.id))
        lines = zlib.decompress(item["members"]).decode().splitlines() if item else []
        pairs = (line.split(" ") for line in lines)
        return [SentProfile(MemberId(member_id), int(version)) for member_id, version in pairs]

    def close(self, job: ProfileJob, *, failed: int) -> bool:
        """Drop a job that has ended and count it in its full sync; False when somebody else did so before."""
        drop: TransactWriteItemTypeDef = {
            "Delete": {
                "TableName": self._table,
                "Key": _wired(keys.profile_job(job.program, job.id)),
                "ConditionExpression": "attribute_exists(pk)",
            }
        }
        count: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table,
                "Key": _wired(keys.full_sync(job.program)),
                "UpdateExpression": "ADD done :done, failed :failed, open_jobs :one",
                "ConditionExpression": "id = :sync",
                "ExpressionAttributeValues": wire(
                    {":done": job.size - failed, ":failed": failed, ":one": -1, ":sync": job.sync}
                ),
            }
        }
        writes = [drop, count] if job.counted else [drop]
        failures = transact(self._client, writes)
        if failures[:1] == ["None"]:
            # Another sync stands in the place of the one that would count it.
            failures = transact(self._client, [drop])
        return not failures

    def _note(self, job: ProfileJob, name: str, value: str) -> None:
        """Keep one more thing of a job, unless it was dropped meanwhile."""
        key = keys.profile_job(job.program, job.id)
        update, condition = f"SET {name} = :value", "attribute_exists(pk)"
        update_if(self._client, self._table, key, update, condition=condition, values={":value": value})

    def _put(self, key: Key, item: Item) -> None:
        with storage_errors():
            self._client.put_item(TableName=self._table, Item=wire({"pk": key.pk, "sk": key.sk, **item}))

    def _get(self, key: Key) -> Item | None:
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=_wired(key), ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None


def _wired(key: Key) -> dict[str, Any]:
    return wire({"pk": key.pk, "sk": key.sk})


def _item(job: ProfileJob) -> Item:
    return {
        "type": "profile_job",
        "program": job.program,
        "id": job.id,
        "size": job.size,
        "sent_at": utc_text(job.sent_at),
        "klaviyo_id": job.klaviyo_id,
        "sync": job.sync,
        "counted": job.counted,
        **({"looked_at": utc_text(job.looked_at)} if job.looked_at else {}),
    }


def _job_of(item: Item) -> ProfileJob:
    return ProfileJob(
        program=ProgramSlug(item["program"]),
        id=item["id"],
        size=item["size"],
        sent_at=parse_utc(item["sent_at"]),
        klaviyo_id=item["klaviyo_id"],
        sync=item["sync"],
        counted=item["counted"],
        looked_at=parse_utc(item["looked_at"]) if "looked_at" in item else None,
    )
