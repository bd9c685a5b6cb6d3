"""Begins the hourly sweep: warnings of expiring points, expiry, and everything else that falls due."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import sweep_start_container
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import ExpiryWarningsSettings
from loyalty.runtime.use_case import UseCase

begin = UseCase(ExpiryWarningsSettings, sweep_start_container.begin_sweep)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:  # noqa: ARG001 - Lambda's signature
    """Hand out every shard of the due index."""
    begun = begin()()
    report(begun)
    return {"shards": begun.shards}
