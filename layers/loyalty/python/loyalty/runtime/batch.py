"""Batch conventions: which records of a batch failed, and what is said about them.

A record that failed comes back, alone or with those after it; the others are done. Records are safe to work on twice.
An invocation fails as a whole only when all of its records did and an operator must act, so that the alarm on failed
invocations rings; for the queue or stream that is the same as reporting every record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent, SQSEvent
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.domain.backoff import wait
from loyalty.domain.errors import Conflict, LoyaltyError, Misconfigured, Rejected, Transient
from loyalty.ports import Randomness, Visibility
from loyalty.runtime.observability import Answer, Event, follow, logger, report_error

RESERVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message from a queue. ``receipt`` is what its visibility is changed with, ``received`` how often it came."""

    id: str
    body: str
    receipt: str
    received: int
    group: str
    correlation_id: str
    program: str


@dataclass(frozen=True, slots=True)
class Return:
    """Gives messages back to their queue, for a time of our choosing: what somebody named, or longer each time.

    Should setting that time fail, they come back at the queue's own time.
    """

    visibility: Visibility
    randomness: Randomness

    def __call__(self, messages: Mapping[Message, int | None]) -> list[str]:
        """Have messages come back, after the seconds somebody named at the earliest; their ids for the answer."""
        delays = {
            message.receipt: wait(message.received, asked, self.randomness.jitter)
            for message, asked in messages.items()
        }
        try:
            self.visibility.postpone(delays)
        except LoyaltyError as error:
            report_error("messages come back at the queue's own time", error)
        return [message.id for message in messages]


def each_message(
    event: Event,
    handle: Callable[[Message], object],
    give_back: Callable[[Mapping[Message, int | None]], object] = lambda _: None,
) -> Answer:
    """Work on a batch of a standard queue message by message; those whose handling raised come back.

    They do so at the queue's own time, unless ``give_back`` is to choose: it is handed them with the seconds named.
    """
    failures: dict[Message, Exception] = {}
    messages = messages_of(event)
    for message in messages:
        follow(message.correlation_id, otherwise=message.id)
        keys = {"message_id": message.id} | ({"program": message.program} if message.program else {})
        logger.append_keys(**keys)
        try:
            handle(message)
        except Exception as error:  # noqa: BLE001 - one bad message must not take the others with it
            report_error("message not processed", error)
            failures[message] = error
        finally:
            logger.remove_keys(keys)
    if failures:
        give_back({message: _named_time(error) for message, error in failures.items()})
        if len(failures) == len(messages):
            _raise_for_operator(list(failures.values()))
    return failed(message.id for message in failures)


def all_messages(event: Event, handle: Callable[[Sequence[Message]], Iterable[str]]) -> Answer:
    """Work on an SQS batch as one; the handler answers the ids of messages that must come back."""
    return failed(handle(messages_of(event)))


def all_changes(event: Event, handle: Callable[[Sequence[DynamoDBRecord]], object]) -> Answer:
    """Work on a batch of a table's stream as one; when the handler raises, all of it comes back, from the first on."""
    records = list(DynamoDBStreamEvent(event).records)
    try:
        handle(records)
    except Exception as error:  # noqa: BLE001 - reported to the stream, which sends the batch again
        report_error("changes not processed", error)
        _raise_for_operator([error])
        return failed([_sequence_number(records[0])])
    return failed([])


def messages_of(event: Event) -> list[Message]:
    """The messages of an SQS event."""
    return [
        Message(
            id=record.message_id,
            body=record.body,
            receipt=record.receipt_handle,
            received=int(record.attributes.approximate_receive_count),
            group=record.attributes.message_group_id or "",
            correlation_id=_attribute(record.raw_event, "correlation_id"),
            program=_attribute(record.raw_event, "program"),
        )
        for record in SQSEvent(event).records
    ]


def seconds_left(context: LambdaContext) -> float:
    """Seconds an invocation may still work, with enough in hand to finish what it is at."""
    return max(0.0, context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS)


def failed(ids: Iterable[str]) -> Answer:
    """The answer that names the records to come back."""
    return {"batchItemFailures": [{"itemIdentifier": record} for record in dict.fromkeys(ids)]}


def _named_time(error: Exception) -> int | None:
    return error.retry_after if isinstance(error, Transient) else None


def _raise_for_operator(errors: Sequence[Exception]) -> None:
    for error in errors:
        if not isinstance(error, Rejected | Conflict | Transient):
            name = type(error).__name__
            raise Misconfigured(f"No record of the batch could be processed; one failed with {name}.") from None


def _attribute(record: Event, name: str) -> str:
    attribute: dict[str, Any] = (record.get("messageAttributes") or {}).get(name) or {}
    return str(attribute.get("stringValue") or "")


def _sequence_number(record: DynamoDBRecord) -> str:
    return str(record.raw_event["dynamodb"]["SequenceNumber"])
