"""Composition root of the functions about connections, a place that knows concrete classes."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.full_syncs import DynamoFullSyncs
from loyalty.adapters.dynamodb.oauth_records import DynamoOAuthRecords
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.profile_jobs import DynamoProfileJobs
from loyalty.adapters.dynamodb.reconciliation_store import DynamoReconciliations
from loyalty.adapters.dynamodb.replays import DynamoReplays
from loyalty.adapters.dynamodb.review_feed_store import DynamoReviewFeeds
from loyalty.adapters.dynamodb.sent_events import DynamoSentEvents
from loyalty.adapters.secrets import OperatorSecret, StoredSecret
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemRandomness
from loyalty.runtime.admission import admission
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.settings import KlaviyoConnectionSettings, KlaviyoUpkeepSettings, OauthCallbackSettings
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.authorize_program import AuthorizeProgram
from loyalty.services.build_webhooks import BuildWebhooks
from loyalty.services.connect_account import ConnectByKey, EstablishConnection
from loyalty.services.connection_health import ConnectionHealth
from loyalty.services.disconnect_account import DisconnectAccount
from loyalty.services.keep_review_feeds import KeepReviewFeeds
from loyalty.services.look_after_connections import LookAfterConnections
from loyalty.services.reconcile_reviews import ReconcileReviews
from loyalty.services.replay_events import BeginReplay
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.review_webhook_registration import RegisterReviewWebhook
from loyalty.services.run_sync import RunSync, ServeSync
from loyalty.services.send_sample_events import SendSampleEvents
from loyalty.services.serve_connection import Resume, ServeConnection
from loyalty.services.serve_replays import ServeReplays
from loyalty.services.wake_syncs import WakeSyncs


@dataclass(frozen=True, slots=True)
class Journey:
    """What the pages of a connect need."""

    admit: AdmitCaller
    authorize: AuthorizeProgram
    resume: Resume


def serve_connection(settings: KlaviyoConnectionSettings) -> ServeConnection:
    """What ``klaviyo_connection`` does."""
    access = KlaviyoAccess.of(settings)
    journey = _journey(settings, access)
    establish = journey.authorize.establish
    return ServeConnection(
        admit=journey.admit,
        authorize=journey.authorize,
        by_key=ConnectByKey(establish, access.vault, access.clock),
        disconnect_account=DisconnectAccount(access.programs, access.klaviyo, access.oauth, access.vault, access.clock),
        health=ConnectionHealth(_outbox(settings), _notes(settings), _sent(settings), _reconciliations(settings)),
        resume=journey.resume,
        feeds=KeepReviewFeeds(
            journey.admit,
            DynamoReviewFeeds(settings.aws.dynamodb, settings.table_name),
            access.vault,
            access.clock,
        ),
        builder=BuildWebhooks(journey.admit, access.app, access.klaviyo, access.permits),
        replays=ServeReplays(journey.admit, _begin_replay(settings, access), access.clock),
        samples=SendSampleEvents(journey.admit, access.klaviyo, access.clock),
        syncs=_syncs(journey, access),
    )


def _syncs(journey: Journey, access: KlaviyoAccess) -> ServeSync:
    wake = journey.resume.wake
    run = RunSync(access.programs, wake.syncs, wake.queue, access.clock, SystemRandomness())
    return ServeSync(journey.admit, run, access.clock)


def connect_journey(settings: OauthCallbackSettings | KlaviyoConnectionSettings) -> Journey:
    """What ``oauth_callback`` does."""
    return _journey(settings, KlaviyoAccess.of(settings))


def _journey(settings: OauthCallbackSettings | KlaviyoConnectionSettings, access: KlaviyoAccess) -> Journey:
    client = settings.aws.dynamodb
    randomness = SystemRandomness()
    establish = EstablishConnection(
        programs=access.programs,
        records=DynamoOAuthRecords(client, settings.table_name),
        klaviyo=access.klaviyo,
        register=RegisterReviewWebhook(access.vault, randomness),
        clock=access.clock,
    )
    return Journey(
        admit=admission(
            settings,
            OperatorSecret(StoredSecret(lambda: settings.aws.secrets, settings.operator_key_secret, access.clock)),
        ),
        authorize=AuthorizeProgram(establish, access.oauth, access.app, access.vault, access.clock, randomness),
        resume=Resume(_requeue(settings, access), _wake(settings, access), access.clock),
    )


def look_after_connections(settings: KlaviyoUpkeepSettings) -> LookAfterConnections:
    """What ``klaviyo_upkeep`` does."""
    access, randomness = KlaviyoAccess.of(settings), SystemRandomness()
    client = settings.aws.dynamodb
    sqs = settings.aws.sqs
    return LookAfterConnections(
        programs=access.programs,
        klaviyo=access.klaviyo,
        keeper=access.keeper,
        register=RegisterReviewWebhook(access.vault, randomness),
        requeue=_requeue(settings, access),
        wake=_wake(settings, access),
        app=access.app,
        clock=access.clock,
        reconcile=ReconcileReviews(
            states=DynamoReconciliations(client, settings.table_name),
            queue=SqsQueue(sqs, settings.reviews_queue_url, access.clock, randomness),
            clock=access.clock,
        ),
    )


def _requeue(
    settings: OauthCallbackSettings | KlaviyoConnectionSettings | KlaviyoUpkeepSettings, access: KlaviyoAccess
) -> RequeueOwed:
    sqs, randomness = settings.aws.sqs, SystemRandomness()
    return RequeueOwed(
        outbox=_outbox(settings),
        events=SqsQueue(sqs, settings.events_queue_url, access.clock, randomness),
        profiles=SqsQueue(sqs, settings.profiles_queue_url, access.clock, randomness),
        clock=access.clock,
    )


def _wake(
    settings: OauthCallbackSettings | KlaviyoConnectionSettings | KlaviyoUpkeepSettings, access: KlaviyoAccess
) -> WakeSyncs:
    client = settings.aws.dynamodb
    sqs = settings.aws.sqs
    return WakeSyncs(
        jobs=DynamoProfileJobs(client, settings.table_name),
        syncs=DynamoFullSyncs(client, settings.table_name),
        queue=SqsQueue(sqs, settings.syncs_queue_url, access.clock, SystemRandomness()),
        clock=access.clock,
    )


def _notes(settings: KlaviyoConnectionSettings) -> DynamoConnectionNotes:
    client = settings.aws.dynamodb
    return DynamoConnectionNotes(client, settings.table_name)


def _reconciliations(settings: KlaviyoConnectionSettings) -> DynamoReconciliations:
    client = settings.aws.dynamodb
    return DynamoReconciliations(client, settings.table_name)


def _begin_replay(settings: KlaviyoConnectionSettings, access: KlaviyoAccess) -> BeginReplay:
    client = settings.aws.dynamodb
    sqs = settings.aws.sqs
    queue = SqsQueue(sqs, settings.events_queue_url, access.clock, SystemRandomness())
    return BeginReplay(DynamoReplays(client, settings.table_name), queue)


def _sent(settings: KlaviyoConnectionSettings) -> DynamoSentEvents:
    client = settings.aws.dynamodb
    return DynamoSentEvents(client, settings.table_name)


def _outbox(settings: OauthCallbackSettings | KlaviyoConnectionSettings | KlaviyoUpkeepSettings) -> DynamoOutbox:
    return DynamoOutbox(settings.aws.dynamodb, settings.table_name)
