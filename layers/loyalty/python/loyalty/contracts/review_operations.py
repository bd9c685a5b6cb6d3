"""The operations of the HTTP API by which reviews come in with an API key."""

from __future__ import annotations

from loyalty.contracts.flow_reviews import FlowReviewForm, TakenReview
from loyalty.contracts.operation import Operation

REVIEW_OPERATIONS = (
    Operation(
        "submit_review",
        "POST",
        "/programs/{slug}/reviews",
        "A submitted review, sent by a Klaviyo flow",
        "reviews:write",
        TakenReview,
        202,
        body=FlowReviewForm,
        headers=("X-Klaviyo-Flow-ID",),
        details=(
            "For accounts without system webhooks. The review is stored, then the program's rule decides on it as on "
            "any other. Whatever else tells of the same review, or this again, it pays once."
        ),
        example={
            "email": "sarah.mason@klaviyo-demo.com",
            "review_id": "925e385b52fb405715f3616c337cc65c",
            "rating": "5",
            "verified": "True",
            "text_length": "120",
        },
        answered={"review": "925e385b52fb405715f3616c337cc65c"},
    ),
)
