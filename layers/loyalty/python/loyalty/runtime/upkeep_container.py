"""Composition root of ``klaviyo_upkeep``, a place that knows concrete classes."""

from __future__ import annotations

from loyalty.adapters.dynamodb.reconciliation_store import DynamoReconciliations
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemRandomness
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.settings import KlaviyoUpkeepSettings
from loyalty.runtime.waiting_work import requeue_owed, wake_syncs
from loyalty.services.look_after_connections import LookAfterConnections
from loyalty.services.reconcile_reviews import ReconcileReviews
from loyalty.services.review_webhook_registration import RegisterReviewWebhook


def look_after_connections(settings: KlaviyoUpkeepSettings) -> LookAfterConnections:
    """What ``klaviyo_upkeep`` does."""
    access, randomness = KlaviyoAccess.of(settings), SystemRandomness()
    client = settings.aws.dynamodb
    sqs = settings.aws.sqs
    return LookAfterConnections(
        programs=access.programs,
        klaviyo=access.klaviyo,
        keeper=access.keeper,
        register=RegisterReviewWebhook(access.vault, randomness),
        requeue=requeue_owed(settings, access),
        wake=wake_syncs(settings, access),
        app=access.app,
        clock=access.clock,
        reconcile=ReconcileReviews(
            states=DynamoReconciliations(client, settings.table_name),
            queue=SqsQueue(sqs, settings.reviews_queue_url, access.clock, randomness),
            clock=access.clock,
        ),
    )
