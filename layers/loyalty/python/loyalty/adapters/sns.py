"""Messages to people, over SNS."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from loyalty.adapters.aws import service_errors
from loyalty.domain.program import Program

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class SnsNotices:
    """One topic; a subscription can choose programs by the message attribute ``program``."""

    def __init__(self, client: Callable[[], SNSClient], topic: str) -> None:
        """``client`` is asked for with the first message: few processes ever send one."""
        self._client = client
        self._topic = topic

    def access_lost(self, program: Program, why: str) -> None:
        """Tell that access to Klaviyo is lost.

        Raises:
            Transient: SNS is busy or out of reach.
            Misconfigured: the topic may not be used.
        """
        text = (
            f"Klaviyo does not give the loyalty program {program.slug} access any more.\n\n"
            f"Why: {why}\n\n"
            "Nothing is lost: points go on, and everything Klaviyo has not heard of waits. Sending is paused until\n"
            "somebody with the role Owner, Admin or Manager in Klaviyo connects the program again.\n"
        )
        with service_errors("The notification service"):
            self._client().publish(
                TopicArn=self._topic,
                Subject=f"Tallyhook: {program.slug} lost its access to Klaviyo"[:100],
                Message=text,
                MessageAttributes={
                    "program": {"DataType": "String", "StringValue": program.slug},
                    "kind": {"DataType": "String", "StringValue": "access_lost"},
                },
            )
