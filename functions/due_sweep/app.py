"""Sweeps a shard of the due index, or a program under changed terms: warns, lets expire, activates, releases."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import batch, sweep_container
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import DueSweepSettings
from loyalty.runtime.use_case import UseCase

sweep = UseCase(DueSweepSettings, sweep_container.sweep_due)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Sweep the shards and programs that the messages name; those to be tried again are named in the answer."""
    return batch.each_message(event, lambda message: report(sweep()(message.body, seconds=batch.seconds_left(context))))
