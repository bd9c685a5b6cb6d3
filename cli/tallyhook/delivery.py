"""What a deployment's delivery to Klaviyo is worked on with from a terminal: its queues, and replays of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from loyalty.adapters.dead_letters import SqsDeadLetters
from loyalty.adapters.dynamodb.feed import DynamoFeed
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.replays import DynamoReplays
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.services.replay_events import BeginReplay, ReplayEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loyalty.ports import MessageQueue, QueueMessage

QUEUES = {
    "reviews": "ReviewsQueue",
    "events": "EventsQueue",
    "profiles": "ProfilesQueue",
    "syncs": "SyncsQueue",
    "sweeps": "SweepsQueue",
}
"""Queues that can take back what they gave up on, by their logical ids in the template."""


@dataclass(frozen=True)
class Delivery:
    """The delivery of the stack ``name``; ``client`` makes clients of AWS services."""

    client: Callable[[str], Any]
    table: str
    name: str

    def dead_letters(self, queue: str) -> SqsDeadLetters:
        """What a queue gave up on."""
        return SqsDeadLetters(self.client("sqs"), self.queue_url(queue))

    def queue(self, queue: str) -> MessageQueue:
        """One of ``QUEUES`` to send to; looked up when it is used."""
        return _Queue(self, queue)

    def queue_url(self, queue: str) -> str:
        """The URL of one of ``QUEUES``.

        Raises:
            ClickException: it cannot be looked up.
        """
        try:
            found = self.client("cloudformation").describe_stack_resource(
                StackName=self.name, LogicalResourceId=QUEUES[queue]
            )
        except (BotoCoreError, ClientError) as error:
            raise click.ClickException(f"The queue {QUEUES[queue]} cannot be looked up: {error}") from error
        url: str = found["StackResourceDetail"]["PhysicalResourceId"]
        return url

    @property
    def replays(self) -> DynamoReplays:
        """How far replays of events are."""
        return DynamoReplays(self.client("dynamodb"), self.table)

    @property
    def begin_replay(self) -> BeginReplay:
        """Begins replays of events."""
        return BeginReplay(self.replays, self._events)

    @property
    def replay_events(self) -> ReplayEvents:
        """Works on replays of events."""
        dynamodb = self.client("dynamodb")
        return ReplayEvents(
            programs=DynamoPrograms(dynamodb, self.table),
            replays=self.replays,
            feed=DynamoFeed(dynamodb, self.table),
            outbox=DynamoOutbox(dynamodb, self.table),
            queue=self._events,
            clock=SystemClock(),
        )

    @property
    def _events(self) -> SqsQueue:
        return SqsQueue(self.client("sqs"), self.queue_url("events"), SystemClock(), SystemRandomness())


@dataclass(frozen=True)
class _Queue:
    """A queue that is looked up with the first message."""

    delivery: Delivery
    name: str

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Store all messages."""
        url = self.delivery.queue_url(self.name)
        SqsQueue(self.delivery.client("sqs"), url, SystemClock(), SystemRandomness()).send(messages)
