"""Reviews on their way to the reviews queue, whichever way they came in."""

from __future__ import annotations

from loyalty.contracts.review_messages import QueuedReview
from loyalty.ports import QueueMessage


def queued(review: QueuedReview, correlation_id: str = "") -> QueueMessage:
    """The queue's message of a review; ``correlation_id`` follows it through the logs."""
    attributes = {"program": review.program, "correlation_id": correlation_id}
    return QueueMessage(
        review.to_json(), group=review.program, attributes={name: value for name, value in attributes.items() if value}
    )
