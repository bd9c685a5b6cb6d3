"""Looks after the connections to Klaviyo whose turn it is."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import upkeep, upkeep_container
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import KlaviyoUpkeepSettings
from loyalty.runtime.use_case import UseCase

service = UseCase(KlaviyoUpkeepSettings, upkeep_container.look_after_connections)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:  # noqa: ARG001 - the schedule's event says nothing
    """Give every connection its turn whose time has come."""
    return upkeep.run(service(), context)
