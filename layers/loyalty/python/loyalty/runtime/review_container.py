"""Composition root of ``review_webhook`` and ``review_award``, which do without what the other functions import."""

from __future__ import annotations

import boto3

from loyalty.adapters.aws import BY_THE_HUNDRED
from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.settings import ReviewAwardSettings, ReviewWebhookSettings
from loyalty.services.award_review import AwardReview
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.posting import Ledger
from loyalty.services.recent_programs import RecentPrograms


def intake_reviews(settings: ReviewWebhookSettings) -> IntakeReviews:
    """What ``review_webhook`` does."""
    client, clock = settings.aws.dynamodb, SystemClock()
    return IntakeReviews(
        programs=RecentPrograms(
            DynamoPrograms(client, settings.table_name), KmsVault(settings.aws.kms, settings.credentials_key_id), clock
        ),
        queue=SqsQueue(
            boto3.client("sqs", region_name=settings.region, config=BY_THE_HUNDRED),
            settings.reviews_queue_url,
            clock,
            SystemRandomness(),
        ),
        notes=DynamoConnectionNotes(client, settings.table_name),
        clock=clock,
    )


def award_review(settings: ReviewAwardSettings) -> AwardReview:
    """What ``review_award`` does."""
    client, clock = settings.aws.dynamodb, SystemClock()
    return AwardReview(
        programs=DynamoPrograms(client, settings.table_name),
        ledger=Ledger(DynamoLedger(client, settings.table_name), clock, SystemRandomness()),
        decisions=DynamoDecisions(client, settings.table_name),
        clock=clock,
    )
