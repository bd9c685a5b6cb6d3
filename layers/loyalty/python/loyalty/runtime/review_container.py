"""Composition root of ``review_award``."""

from __future__ import annotations

from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.sqs_visibility import SqsVisibility
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.batch import Return
from loyalty.runtime.settings import ReviewAwardSettings
from loyalty.services.award_review import AwardReview
from loyalty.services.posting import Ledger


def award_review(settings: ReviewAwardSettings) -> AwardReview:
    """What ``review_award`` does."""
    client, clock = settings.aws.dynamodb, SystemClock()
    return AwardReview(
        programs=DynamoPrograms(client, settings.table_name),
        ledger=Ledger(DynamoLedger(client, settings.table_name), clock, SystemRandomness()),
        decisions=DynamoDecisions(client, settings.table_name),
        clock=clock,
    )


def give_back(settings: ReviewAwardSettings) -> Return:
    """When reviews that could not be decided on are tried again."""
    client = settings.aws.sqs
    return Return(SqsVisibility(client, settings.reviews_queue_url), SystemRandomness())
