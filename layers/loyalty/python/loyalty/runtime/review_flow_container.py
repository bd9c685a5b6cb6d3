"""Composition root of ``review_flow``, a place that knows concrete classes."""

from __future__ import annotations

from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.admission import admission
from loyalty.runtime.settings import ReviewFlowSettings
from loyalty.services.take_flow_review import TakeFlowReview


def take_flow_review(settings: ReviewFlowSettings) -> TakeFlowReview:
    """What ``review_flow`` does."""
    clock, sqs = SystemClock(), settings.aws.sqs
    return TakeFlowReview(
        admit=admission(settings),
        queue=SqsQueue(sqs, settings.reviews_queue_url, clock, SystemRandomness()),
        clock=clock,
    )
