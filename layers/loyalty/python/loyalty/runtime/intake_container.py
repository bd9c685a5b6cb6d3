"""Composition root of ``review_webhook``, which Klaviyo gives five seconds: it imports nothing that others need."""

from __future__ import annotations

import boto3

from loyalty.adapters.aws import BY_THE_HUNDRED
from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.settings import ReviewWebhookSettings
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.recent_programs import RecentPrograms


def intake_reviews(settings: ReviewWebhookSettings) -> IntakeReviews:
    """What ``review_webhook`` does."""
    clock = SystemClock()
    client, vault = settings.aws.dynamodb, KmsVault(settings.aws.kms, settings.credentials_key_id)
    return IntakeReviews(
        programs=RecentPrograms(DynamoPrograms(client, settings.table_name), vault, clock),
        queue=SqsQueue(
            boto3.client("sqs", region_name=settings.region, config=BY_THE_HUNDRED),
            settings.reviews_queue_url,
            clock,
            SystemRandomness(),
        ),
        notes=DynamoConnectionNotes(client, settings.table_name),
        clock=clock,
    )
