"""Puts newly owed events and profiles on the queues towards Klaviyo."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import batch, container, lanes
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import OutboxRelaySettings

service = container.UseCase(OutboxRelaySettings, container.relay_outbox)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:  # noqa: ARG001 - Lambda's signature
    """Work on a batch of the table's changes; from which one on they must come again is in the answer."""
    return batch.all_changes(event, lambda records: lanes.relay(service(), records))
