"""Customers submitting reviews and merchants moderating them, as the inspection API lets a test do.

Source: "Klaviyo Reviews data reference": property names of the Submitted review event are exact.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from local.fake_klaviyo.accounts import KLAVIYO, Account, Event, Review
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.identifiers import review_id
from local.fake_klaviyo.ingest import Recording, store_event
from local.fake_klaviyo.profile_book import Nulls
from local.fake_klaviyo.seed import ReviewInput
from local.fake_klaviyo.services import Services

_METRICS = {"rating": "Submitted rating", "review": "Submitted review", "store": "Submitted review"}


@dataclass(frozen=True)
class Submission:
    """A submitted review, its event (questions have none) and the webhooks it is on its way to."""

    review: Review
    event: Event | None
    webhooks: list[str]


def add_review(account: Account, given: ReviewInput, now: datetime) -> Review:
    """Keep a review without an event."""
    created = given.created or now
    status: JsonObject = {"value": given.status}
    if given.status == "rejected":
        status["rejection_reason"] = {"reason": "fake"}
    attributes = given.model_dump(exclude={"id", "created", "status"})
    review = Review(
        id=given.id or review_id(),
        attributes={**attributes, "status": status, "smart_quote": None, "public_reply": None},
        item_id=f"$shopify:::$default:::{given.product.external_id}" if given.product else None,
        event_ids=[],
        created=created.astimezone(UTC),
        updated=created.astimezone(UTC),
    )
    account.reviews[review.id] = review
    return review


def submit_review(services: Services, account: Account, given: ReviewInput) -> Submission:
    """A customer submits a review: it is kept, its event recorded and put in line for the webhooks."""
    now = services.clock.now()
    review = add_review(account, given, now)
    metric_name = _METRICS.get(given.review_type)
    if metric_name is None:
        return Submission(review, None, [])
    resource = {"attributes": {"email": given.email}}
    profile, _ = account.profiles.upsert(resource, now, Nulls.IGNORE, merge=True)
    event = store_event(
        account,
        Recording(
            profile=profile,
            metric=account.metric(KLAVIYO, metric_name, now),
            unique_id=f"review-{review.id}",
            time=review.created.replace(microsecond=0),
            properties=_event_properties(review, given),
            backfill=False,
            operation="review",
        ),
        now,
    )
    if event is None:
        return Submission(review, None, [])
    review.event_ids.append(event.id)
    return Submission(review, event, services.deliveries.announce(account, event))


def moderate(review: Review, status: str, reason: str, now: datetime) -> None:
    """The merchant changes a review's status; no event comes of it."""
    review.attributes["status"] = {"value": status}
    if status == "rejected":
        review.attributes["status"]["rejection_reason"] = {"reason": reason}
    review.updated = now


def _event_properties(review: Review, given: ReviewInput) -> JsonObject:
    product = given.product
    properties: JsonObject = {
        "review_id": review.id,
        "review_rating": given.rating,
        "review_author": given.author,
        "review_email": given.email,
        "review_status": "pending" if given.status == "pending" else "published",
        "review_verified": given.verified,
        "review_has_media": bool(given.images),
        "review_images": given.images,
        "review_link": f"https://www.klaviyo.com/reviews/{review.id[:8]}",
        "store_url": "https://shop.klaviyo-demo.com",
        "is_store_review": given.review_type == "store",
    }
    if given.review_type != "rating":
        properties |= {"review_title": given.title, "review_content": given.content}
    if product is not None:
        properties["structured_product"] = {
            "product_name": product.name,
            "url": product.url,
            "image_url": product.image_url,
        }
    return properties
