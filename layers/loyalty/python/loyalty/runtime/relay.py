"""The table's changes as work: what they left owed goes on the queues towards Klaviyo."""

from __future__ import annotations

from collections.abc import Sequence

from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from loyalty.adapters.dynamodb.streams import owed_in
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.contracts.deliveries import OwedEvent, OwedProfiles
from loyalty.domain.errors import Misconfigured
from loyalty.runtime.observability import report
from loyalty.runtime.settings import OutboxRelaySettings
from loyalty.services.relay_outbox import RelayOutbox


def relay_outbox(settings: OutboxRelaySettings) -> RelayOutbox:
    """What ``outbox_relay`` does."""
    clock, randomness = SystemClock(), SystemRandomness()
    return RelayOutbox(
        events=SqsQueue(settings.aws.sqs, settings.events_queue_url, clock, randomness),
        profiles=SqsQueue(settings.aws.sqs, settings.profiles_queue_url, clock, randomness),
        clock=clock,
    )


def relay(service: RelayOutbox, records: Sequence[DynamoDBRecord]) -> None:
    """Pass on what a batch of the table's changes left owed.

    Raises:
        Misconfigured: some records could not be read, or a queue refuses; all others are passed on.
        Transient: a queue is out of reach.
    """
    owed: list[OwedEvent | OwedProfiles] = []
    unreadable: Misconfigured | None = None
    for record in records:
        try:
            found = owed_in(record.raw_event)
        except Misconfigured as error:
            unreadable = error
            continue
        if found is not None:
            owed.append(found)
    report(service(owed))
    if unreadable is not None:
        raise unreadable
