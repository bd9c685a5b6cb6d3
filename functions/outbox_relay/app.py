"""Puts newly owed events and profiles on the queues towards Klaviyo."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import batch, relay
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import OutboxRelaySettings
from loyalty.runtime.use_case import UseCase

service = UseCase(OutboxRelaySettings, relay.relay_outbox)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:  # noqa: ARG001 - Lambda's signature
    """Work on a batch of the table's changes; from which one on they must come again is in the answer."""
    return batch.all_changes(event, lambda records: relay.relay(service(), records))
