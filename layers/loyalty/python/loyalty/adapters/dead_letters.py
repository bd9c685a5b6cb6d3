"""What a queue gave up on, on SQS: counted, and given back to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from loyalty.adapters.aws import service_errors
from loyalty.domain.errors import Misconfigured, Transient

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

MESSAGES_PER_CALL = 10


class SqsDeadLetters:
    """The dead letters of one queue, found by its redrive policy."""

    def __init__(self, client: SQSClient, source_url: str) -> None:
        self._client = client
        self._source_url = source_url
        self._url = self._found()

    def waiting(self) -> int:
        """About how many there are."""
        with service_errors("The queue"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def give_back(self) -> int:
        """Give up to ten messages back to their queue; how many, 0 when there are none.

        A message is deleted after it was given back, so that none gets lost; one may come twice, which is safe.

        Raises:
            Transient: SQS is busy; what was not given back is still there.
        """
        with service_errors("The queue"):
            messages = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MESSAGES_PER_CALL,
                MessageSystemAttributeNames=["MessageGroupId"],
                MessageAttributeNames=["All"],
                WaitTimeSeconds=1,
            ).get("Messages", [])
            if not messages:
                return 0
            entries = [self._entry(number, message) for number, message in enumerate(messages)]
            sent = self._client.send_message_batch(QueueUrl=self._source_url, Entries=entries)
            taken = [each["Id"] for each in sent.get("Successful", [])]
            if taken:
                receipts = [messages[int(number)]["ReceiptHandle"] for number in taken]
                self._client.delete_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)],
                )
        if sent.get("Failed"):
            raise Transient("The queue did not take all messages back; try again.", not_given_back=len(sent["Failed"]))
        return len(messages)

    def _entry(self, number: int, message: MessageTypeDef) -> SendMessageBatchRequestEntryTypeDef:
        entry: SendMessageBatchRequestEntryTypeDef = {"Id": str(number), "MessageBody": message["Body"]}
        if attributes := message.get("MessageAttributes"):
            given: Any = {
                name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
                for name, value in attributes.items()
                if "StringValue" in value
            }
            entry["MessageAttributes"] = given
        if group := message.get("Attributes", {}).get("MessageGroupId"):
            entry["MessageGroupId"] = group
        if self._source_url.endswith(".fifo"):
            entry["MessageDeduplicationId"] = f"redriven-{message['MessageId']}"
        return entry

    def _found(self) -> str:
        with service_errors("The queue"):
            answer = self._client.get_queue_attributes(QueueUrl=self._source_url, AttributeNames=["RedrivePolicy"])
            policy = answer.get("Attributes", {}).get("RedrivePolicy")
            if not policy:
                raise Misconfigured("The queue has no queue for what it gives up on.")
            name = str(json.loads(policy)["deadLetterTargetArn"]).rpartition(":")[2]
            return self._client.get_queue_url(QueueName=name)["QueueUrl"]
