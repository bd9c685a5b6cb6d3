"""Composition root of the functions that work on queues, and on the stream.

Together with ``api_container`` the one place that knows concrete classes. There are two because what a process imports
is what its cold start waits for, and the API never talks to Klaviyo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.feed import DynamoFeed
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.replays import DynamoReplays
from loyalty.adapters.dynamodb.sent_events import DynamoSentEvents
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.sqs_visibility import SqsVisibility
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.lanes import EventsLane, Return
from loyalty.runtime.settings import (
    KlaviyoEventsSettings,
    OutboxRelaySettings,
    ReviewAwardSettings,
    Settings,
)
from loyalty.runtime.use_case import UseCase
from loyalty.services.award_review import AwardReview
from loyalty.services.deliver_events import DeliverEvents
from loyalty.services.posting import Ledger
from loyalty.services.relay_outbox import RelayOutbox
from loyalty.services.replay_events import ReplayEvents

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

__all__ = ["UseCase", "award_review", "events_lane", "relay_outbox"]


def award_review(settings: ReviewAwardSettings) -> AwardReview:
    """What ``review_award`` does."""
    client, clock = _dynamodb(settings), SystemClock()
    return AwardReview(
        programs=DynamoPrograms(client, settings.table_name),
        ledger=Ledger(DynamoLedger(client, settings.table_name), clock, SystemRandomness()),
        decisions=DynamoDecisions(client, settings.table_name),
        clock=clock,
    )


def relay_outbox(settings: OutboxRelaySettings) -> RelayOutbox:
    """What ``outbox_relay`` does."""
    client, clock, randomness = _sqs(settings), SystemClock(), SystemRandomness()
    return RelayOutbox(
        events=SqsQueue(client, settings.events_queue_url, clock, randomness),
        profiles=SqsQueue(client, settings.profiles_queue_url, clock, randomness),
        clock=clock,
    )


def events_lane(settings: KlaviyoEventsSettings) -> EventsLane:
    """What ``klaviyo_events`` does."""
    client, sqs, clock = _dynamodb(settings), _sqs(settings), SystemClock()
    programs, outbox = DynamoPrograms(client, settings.table_name), DynamoOutbox(client, settings.table_name)
    return EventsLane(
        deliver=DeliverEvents(
            programs=programs,
            outbox=outbox,
            klaviyo=KlaviyoAccess.of(settings).klaviyo,
            clock=clock,
            notes=DynamoConnectionNotes(client, settings.table_name),
            counted=DynamoSentEvents(client, settings.table_name),
        ),
        replay=ReplayEvents(
            programs=programs,
            replays=DynamoReplays(client, settings.table_name),
            feed=DynamoFeed(client, settings.table_name),
            outbox=outbox,
            queue=SqsQueue(sqs, settings.events_queue_url, clock, SystemRandomness()),
            clock=clock,
        ),
        give_back=Return(SqsVisibility(sqs, settings.events_queue_url), SystemRandomness()),
        clock=clock,
    )


def _dynamodb(settings: Settings) -> DynamoDBClient:
    return settings.aws.dynamodb


def _sqs(settings: Settings) -> SQSClient:
    return settings.aws.sqs
