"""Delivers owed journal entries to Klaviyo as events, many at a time."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import batch, events_container
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import KlaviyoEventsSettings
from loyalty.runtime.use_case import UseCase

lane = UseCase(KlaviyoEventsSettings, events_container.events_lane)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Work on a batch of messages; those to be tried again are named in the answer."""
    return batch.all_messages(event, lambda messages: lane()(messages, context))
