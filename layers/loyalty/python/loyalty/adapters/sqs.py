"""Queues on SQS: whole batches, several calls at a time, and only what failed is sent again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from loyalty.adapters.aws import service_errors
from loyalty.domain.errors import Misconfigured, Transient
from loyalty.ports import Clock, QueueMessage, Randomness

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef, SendMessageBatchRequestEntryTypeDef

MESSAGES_PER_CALL = 10
BYTES_PER_CALL = 262_144
"""SQS's limits for one batch, messages counted with their attributes."""

CALLS_AT_ONCE = 16
ATTEMPTS = 3
FIRST_PAUSE = 0.1
"""Seconds before the second attempt; doubled before the third."""


class SqsQueue:
    """One queue. Calls of a FIFO queue follow each other, so that messages keep their order."""

    def __init__(self, client: SQSClient, url: str, clock: Clock, randomness: Randomness) -> None:
        self._client = client
        self._url = url
        self._clock = clock
        self._randomness = randomness
        self._calls_at_once = 1 if url.endswith(".fifo") else CALLS_AT_ONCE

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Store all messages.

        Raises:
            Transient: some are not stored; sending all of them again is safe.
            Misconfigured: the queue does not take them: no such queue, no permission, a message it refuses.
        """
        calls = list(_calls(messages))
        if self._calls_at_once == 1 or len(calls) <= 1:
            for call in calls:
                self._send(call)
            return
        with ThreadPoolExecutor(max_workers=min(self._calls_at_once, len(calls))) as pool:
            for done in [pool.submit(self._send, call) for call in calls]:
                done.result()

    def waiting(self) -> int:
        """About how many messages there are: waiting, postponed and being worked on.

        Raises:
            Transient: SQS is busy or out of reach.
            Misconfigured: the function may not ask.
        """
        with service_errors("The queue"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesDelayed",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )
        return sum(int(number) for number in answer["Attributes"].values())

    def _send(self, messages: Sequence[QueueMessage]) -> None:
        entries = [_entry(number, message) for number, message in enumerate(messages)]
        pause = FIRST_PAUSE
        for _ in range(ATTEMPTS - 1):
            entries = self._attempt(entries)
            if not entries:
                return
            self._clock.sleep(self._randomness.jitter(pause))
            pause *= 2
        if entries := self._attempt(entries):
            raise Transient("The queue did not take all messages; try again shortly.", not_stored=len(entries))

    def _attempt(self, entries: list[SendMessageBatchRequestEntryTypeDef]) -> list[SendMessageBatchRequestEntryTypeDef]:
        with service_errors("The queue"):
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        failed = answer.get("Failed", [])
        _refuse_what_never_works(failed)
        again = {failure["Id"] for failure in failed}
        return [entry for entry in entries if entry["Id"] in again]


def _refuse_what_never_works(failed: Sequence[BatchResultErrorEntryTypeDef]) -> None:
    for failure in failed:
        if failure["SenderFault"]:
            raise Misconfigured(f"The queue refused a message ({failure['Code']}).", aws_code=failure["Code"])


def _calls(messages: Sequence[QueueMessage]) -> Iterator[list[QueueMessage]]:
    call: list[QueueMessage] = []
    size = 0
    for message in messages:
        added = _size(message)
        if call and (len(call) == MESSAGES_PER_CALL or size + added > BYTES_PER_CALL):
            yield call
            call, size = [], 0
        call.append(message)
        size += added
    if call:
        yield call


def _size(message: QueueMessage) -> int:
    attributes = sum(
        len(name.encode()) + len("String") + len(value.encode()) for name, value in message.attributes.items()
    )
    return len(message.body.encode()) + attributes


def _entry(number: int, message: QueueMessage) -> SendMessageBatchRequestEntryTypeDef:
    entry: SendMessageBatchRequestEntryTypeDef = {"Id": str(number), "MessageBody": message.body}
    if message.group:
        entry["MessageGroupId"] = message.group
    if message.deduplication_id:
        entry["MessageDeduplicationId"] = message.deduplication_id
    if message.delay:
        entry["DelaySeconds"] = message.delay
    if message.attributes:
        entry["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        }
    return entry
