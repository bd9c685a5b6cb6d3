"""Composition root of everything about profiles: their lane, bulk imports, full syncs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.full_syncs import DynamoFullSyncs
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.profile_jobs import DynamoProfileJobs
from loyalty.adapters.dynamodb.profile_marks import DynamoProfileMarks
from loyalty.adapters.dynamodb.roster import DynamoRoster
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.sqs_visibility import SqsVisibility
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.batch import Return
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.lanes import ProfilesLane, SyncsLane
from loyalty.runtime.settings import KlaviyoProfilesSettings, KlaviyoSyncSettings, Settings, WithTable
from loyalty.services.deliver_profiles import DeliverProfiles
from loyalty.services.finish_sync import FinishSync
from loyalty.services.follow_job import FollowJob
from loyalty.services.import_in_bulk import ImportInBulk
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.walk_members import WalkMembers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def profiles_lane(settings: KlaviyoProfilesSettings) -> ProfilesLane:
    """What ``klaviyo_profiles`` does."""
    access, client, table = KlaviyoAccess.of(settings), _dynamodb(settings), settings.table_name
    return ProfilesLane(
        deliver=DeliverProfiles(
            programs=access.programs,
            outbox=DynamoOutbox(client, table),
            marks=DynamoProfileMarks(client, table),
            syncs=DynamoFullSyncs(client, table),
            klaviyo=access.klaviyo,
            import_in_bulk=_import_in_bulk(settings),
            queue=_queue(settings, settings.profiles_queue_url),
            clock=access.clock,
            notes=DynamoConnectionNotes(client, table),
        ),
        give_back=_give_back(settings, settings.profiles_queue_url),
        clock=access.clock,
    )


def syncs_lane(settings: KlaviyoSyncSettings) -> SyncsLane:
    """What ``klaviyo_sync`` does."""
    access, client, table = KlaviyoAccess.of(settings), _dynamodb(settings), settings.table_name
    outbox, marks = DynamoOutbox(client, table), DynamoProfileMarks(client, table)
    events, profiles = _queue(settings, settings.events_queue_url), _queue(settings, settings.profiles_queue_url)
    syncs = DynamoFullSyncs(client, table)
    finish = FinishSync(access.programs, syncs, RequeueOwed(outbox, events, profiles, access.clock), access.clock)
    jobs = DynamoProfileJobs(client, table)
    return SyncsLane(
        walk=WalkMembers(
            programs=access.programs,
            roster=DynamoRoster(client, table),
            syncs=syncs,
            marks=marks,
            klaviyo=access.klaviyo,
            import_in_bulk=_import_in_bulk(settings),
            queue=_queue(settings, settings.syncs_queue_url),
            finish=finish,
            clock=access.clock,
        ),
        follow=FollowJob(access.programs, jobs, outbox, marks, access.klaviyo, finish, access.clock),
        give_back=_give_back(settings, settings.syncs_queue_url),
        clock=access.clock,
    )


def _import_in_bulk(settings: KlaviyoProfilesSettings | KlaviyoSyncSettings) -> ImportInBulk:
    jobs = DynamoProfileJobs(_dynamodb(settings), settings.table_name)
    return ImportInBulk(jobs, _queue(settings, settings.syncs_queue_url), SystemClock(), SystemRandomness())


def _queue(settings: Settings, url: str) -> SqsQueue:
    client = settings.aws.sqs
    return SqsQueue(client, url, SystemClock(), SystemRandomness())


def _give_back(settings: Settings, url: str) -> Return:
    client = settings.aws.sqs
    return Return(SqsVisibility(client, url), SystemRandomness())


def _dynamodb(settings: WithTable) -> DynamoDBClient:
    return settings.aws.dynamodb
