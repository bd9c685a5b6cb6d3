"""Composition root of ``klaviyo_connection``, a place that knows concrete classes."""

from __future__ import annotations

from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.reconciliation_store import DynamoReconciliations
from loyalty.adapters.dynamodb.replays import DynamoReplays
from loyalty.adapters.dynamodb.review_feed_store import DynamoReviewFeeds
from loyalty.adapters.dynamodb.sent_events import DynamoSentEvents
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemRandomness
from loyalty.runtime.journey_container import Journey, journey
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.settings import KlaviyoConnectionSettings
from loyalty.services.build_webhooks import BuildWebhooks
from loyalty.services.connect_account import ConnectByKey
from loyalty.services.connection_health import ConnectionHealth
from loyalty.services.disconnect_account import DisconnectAccount
from loyalty.services.keep_review_feeds import KeepReviewFeeds
from loyalty.services.replay_events import BeginReplay
from loyalty.services.run_sync import RunSync, ServeSync
from loyalty.services.send_sample_events import SendSampleEvents
from loyalty.services.serve_connection import ServeConnection
from loyalty.services.serve_replays import ServeReplays


def serve_connection(settings: KlaviyoConnectionSettings) -> ServeConnection:
    """What ``klaviyo_connection`` does."""
    access, client, table = KlaviyoAccess.of(settings), settings.aws.dynamodb, settings.table_name
    connecting = journey(settings, access)
    establish = connecting.authorize.establish
    return ServeConnection(
        admit=connecting.admit,
        authorize=connecting.authorize,
        by_key=ConnectByKey(establish, access.vault, access.clock),
        disconnect_account=DisconnectAccount(access.programs, access.klaviyo, access.oauth, access.vault, access.clock),
        health=ConnectionHealth(
            DynamoOutbox(client, table),
            DynamoConnectionNotes(client, table),
            DynamoSentEvents(client, table),
            DynamoReconciliations(client, table),
        ),
        resume=connecting.resume,
        feeds=KeepReviewFeeds(connecting.admit, DynamoReviewFeeds(client, table), access.vault, access.clock),
        builder=BuildWebhooks(connecting.admit, access.app, access.klaviyo, access.permits),
        replays=ServeReplays(connecting.admit, _begin_replay(settings, access), access.clock),
        samples=SendSampleEvents(connecting.admit, access.klaviyo, access.clock),
        syncs=_syncs(connecting, access),
    )


def _syncs(connecting: Journey, access: KlaviyoAccess) -> ServeSync:
    wake = connecting.resume.wake
    run = RunSync(access.programs, wake.syncs, wake.queue, access.clock, SystemRandomness())
    return ServeSync(connecting.admit, run, access.clock)


def _begin_replay(settings: KlaviyoConnectionSettings, access: KlaviyoAccess) -> BeginReplay:
    queue = SqsQueue(settings.aws.sqs, settings.events_queue_url, access.clock, SystemRandomness())
    return BeginReplay(DynamoReplays(settings.aws.dynamodb, settings.table_name), queue)
