"""What waits for a connection to Klaviyo: the part of a composition root that the functions about connections share."""

from __future__ import annotations

from loyalty.adapters.dynamodb.full_syncs import DynamoFullSyncs
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.profile_jobs import DynamoProfileJobs
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemRandomness
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.settings import KlaviyoConnectionSettings, KlaviyoUpkeepSettings, OauthCallbackSettings
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.wake_syncs import WakeSyncs


def requeue_owed(
    settings: OauthCallbackSettings | KlaviyoConnectionSettings | KlaviyoUpkeepSettings, access: KlaviyoAccess
) -> RequeueOwed:
    """What queues everything again that a program owes Klaviyo."""
    sqs, randomness = settings.aws.sqs, SystemRandomness()
    return RequeueOwed(
        outbox=DynamoOutbox(settings.aws.dynamodb, settings.table_name),
        events=SqsQueue(sqs, settings.events_queue_url, access.clock, randomness),
        profiles=SqsQueue(sqs, settings.profiles_queue_url, access.clock, randomness),
        clock=access.clock,
    )


def wake_syncs(
    settings: OauthCallbackSettings | KlaviyoConnectionSettings | KlaviyoUpkeepSettings, access: KlaviyoAccess
) -> WakeSyncs:
    """What has syncs and bulk imports go on."""
    client = settings.aws.dynamodb
    sqs = settings.aws.sqs
    return WakeSyncs(
        jobs=DynamoProfileJobs(client, settings.table_name),
        syncs=DynamoFullSyncs(client, settings.table_name),
        queue=SqsQueue(sqs, settings.syncs_queue_url, access.clock, SystemRandomness()),
        clock=access.clock,
    )
