"""Decides on each queued review and posts its points to the ledger."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import batch, review_container
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import ReviewAwardSettings
from loyalty.runtime.use_case import UseCase

award = UseCase(ReviewAwardSettings, review_container.award_review)
give_back = UseCase(ReviewAwardSettings, review_container.give_back)


def decide(message: batch.Message) -> None:
    """Decide on one review."""
    report(award()(message.body))


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:  # noqa: ARG001 - Lambda's signature
    """Work on a batch of messages; those to be tried again are named in the answer."""
    return batch.each_message(event, decide, give_back())
