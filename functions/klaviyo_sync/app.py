"""Walks through all members of a program for its full sync, and follows bulk imports of profiles to their end."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import batch, profiles_container
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import KlaviyoSyncSettings
from loyalty.runtime.use_case import UseCase

lane = UseCase(KlaviyoSyncSettings, profiles_container.syncs_lane)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Work on a batch of messages; those to be tried again are named in the answer."""
    return batch.all_messages(event, lambda messages: lane()(messages, context))
