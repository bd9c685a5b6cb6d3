"""Composition root of ``klaviyo_events``."""

from __future__ import annotations

from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.feed import DynamoFeed
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.replays import DynamoReplays
from loyalty.adapters.dynamodb.sent_events import DynamoSentEvents
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.sqs_visibility import SqsVisibility
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.batch import Return
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.lanes import EventsLane
from loyalty.runtime.settings import KlaviyoEventsSettings
from loyalty.services.deliver_events import DeliverEvents
from loyalty.services.replay_events import ReplayEvents


def events_lane(settings: KlaviyoEventsSettings) -> EventsLane:
    """What ``klaviyo_events`` does."""
    client, sqs, clock = settings.aws.dynamodb, settings.aws.sqs, SystemClock()
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
