"""When SQS shows a message again that was received and is not done."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from loyalty.adapters.aws import service_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef

MESSAGES_PER_CALL = 10
CALLS_AT_ONCE = 16


class SqsVisibility:
    """The visibility of one queue's messages."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def postpone(self, delays: Mapping[str, int]) -> None:
        """Show messages again after so many seconds (up to 12 hours since they were received), by their receipts.

        A message that SQS does not find any more, because its time ran out meanwhile, is there again already.

        Raises:
            Transient: SQS is busy or out of reach; the messages come back at the queue's own time.
            Misconfigured: the function may not do this.
        """
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for number, (receipt, seconds) in enumerate(delays.items())
        ]
        calls = [entries[start : start + MESSAGES_PER_CALL] for start in range(0, len(entries), MESSAGES_PER_CALL)]
        if not calls:
            return
        with ThreadPoolExecutor(max_workers=min(CALLS_AT_ONCE, len(calls))) as pool:
            for done in [pool.submit(self._change, call) for call in calls]:
                done.result()

    def _change(self, entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef]) -> None:
        with service_errors("The queue"):
            self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
