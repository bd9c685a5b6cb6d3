"""The operations of the HTTP API that let reviews come in: with an API key, or from another review app."""

from __future__ import annotations

from loyalty.contracts.flow_reviews import FlowReviewForm, TakenReview
from loyalty.contracts.operation import Operation
from loyalty.contracts.review_feed_documents import JudgemeForm, ReviewFeedDocument

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
    ),
)

_JUDGEME = "/programs/{slug}/review-apps/judgeme"

REVIEW_FEED_OPERATIONS = (
    Operation("read_judgeme", "GET", _JUDGEME, "Whether Judge.me may deliver reviews", "admin", ReviewFeedDocument),
    Operation(
        "connect_judgeme",
        "PUT",
        _JUDGEME,
        "Let Judge.me deliver reviews",
        "admin",
        ReviewFeedDocument,
        body=JudgemeForm,
        details=(
            "The secret is kept encrypted and never shown. Another one takes its place at once; reviews that were "
            "written before the first earn nothing. The review rule's app decides whether Judge.me's reviews earn."
        ),
        example={"secret": "the private API token of your Judge.me shop"},
    ),
    Operation(
        "disconnect_judgeme",
        "DELETE",
        _JUDGEME,
        "Let Judge.me deliver nothing any more",
        "admin",
        ReviewFeedDocument,
        details="What its reviews have earned stays.",
    ),
)
