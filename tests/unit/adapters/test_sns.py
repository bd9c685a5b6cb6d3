"""Messages to people: what is told, and that a process which tells nothing makes no client."""

from __future__ import annotations

from typing import Any

from loyalty.adapters.sns import SnsNotices
from tests.builders import a_program

TOPIC = "arn:aws:sns:eu-central-1:000000000000:notices"


class Service:
    """SNS as far as it is used."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    def publish(self, **message: Any) -> None:
        self.published.append(message)


def test_a_lost_access_is_told_with_program_and_reason_and_only_then_is_a_client_made() -> None:
    service, made = Service(), list[str]()

    def client() -> Any:
        made.append("sns")
        return service

    notices = SnsNotices(client, TOPIC)
    assert made == []
    notices.access_lost(a_program(), "invalid_grant")
    (message,) = service.published
    assert (message["TopicArn"], message["Subject"]) == (TOPIC, "Tallyhook: candles lost its access to Klaviyo")
    assert "invalid_grant" in message["Message"]
    assert message["MessageAttributes"]["program"]["StringValue"] == "candles"
