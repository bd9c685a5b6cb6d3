"""Klaviyo Reviews: get_reviews and get_review."""

from typing import Any

from local.fake_klaviyo.accounts import Review
from local.fake_klaviyo.documents import event_resource, related, resource_links, timestamp
from local.fake_klaviyo.errors import not_found
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.operations import Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import MEDIUM

_ACCESSORS: dict[str, Any] = {
    "id": lambda review: review.id,
    "item.id": lambda review: review.item_id,
    "created": lambda review: review.created,
    "updated": lambda review: review.updated,
    "rating": lambda review: review.attributes["rating"],
    "content": lambda review: review.attributes["content"],
    "status": lambda review: review.attributes["status"]["value"],
    "review_type": lambda review: review.attributes["review_type"],
    "verified": lambda review: review.attributes["verified"],
}


def get_reviews(call: Call) -> Reply:
    """Reviews, filtered and sorted; there is no filter by the time of update."""
    reviews = call.query.select(list(call.account.reviews.values()), _ACCESSORS)
    page = list(call.query.page(reviews))
    links = call.query.links(call.request, len(reviews))
    return Reply(200, _document(call, [_resource(call, r) for r in page], page, links))


def get_review(call: Call) -> Reply:
    """One review with its present status."""
    review = call.account.reviews.get(call.params["id"])
    if review is None:
        raise not_found("A review with this id does not exist.")
    return Reply(200, _document(call, _resource(call, review), [review], {"self": call.link(call.request.path)}))


def _document(call: Call, data: Any, reviews: list[Review], links: JsonObject) -> JsonObject:
    document = {"data": data, "links": links}
    if "events" in call.query.include:
        wanted = {event_id for review in reviews for event_id in review.event_ids}
        events = (event for event in call.account.events if event.id in wanted)
        document["included"] = [call.query.trimmed(event_resource(e, call.request.base_url)) for e in events]
    return document


def _resource(call: Call, review: Review) -> JsonObject:
    base, path = call.request.base_url, f"/api/reviews/{review.id}"
    relationships: JsonObject = {"events": {"links": related(base, path, "events")}}
    if "events" in call.query.include:
        # Its contract lets Klaviyo leave this out of an answer that was not asked to include the events.
        relationships["events"]["data"] = [{"type": "event", "id": event_id} for event_id in review.event_ids]
    if review.item_id is not None:
        relationships["item"] = {
            "data": {"type": "catalog-item", "id": review.item_id},
            "links": related(base, path, "item"),
        }
    attributes = {
        **review.attributes,
        "created": timestamp(review.created),
        "updated": timestamp(review.updated),
    }
    return call.query.trimmed(
        {
            "type": "review",
            "id": review.id,
            "attributes": attributes,
            "relationships": relationships,
            "links": resource_links(base, path),
        }
    )


OPERATIONS = (
    Operation(
        "get_reviews",
        "GET",
        "/api/reviews",
        ("reviews:read",),
        MEDIUM,
        get_reviews,
        QueryRules(
            fields=("event", "review"),
            include=("events",),
            sort=("created", "rating", "updated"),
            filters={
                "created": ("greater-or-equal", "less-or-equal"),
                "rating": ("any", "equals", "greater-or-equal", "less-or-equal"),
                "id": ("any", "equals"),
                "item.id": ("any", "equals"),
                "content": ("contains",),
                "status": ("equals",),
                "review_type": ("equals",),
                "verified": ("equals",),
            },
            page_size=(20, 100),
            cursor=True,
        ),
    ),
    Operation(
        "get_review",
        "GET",
        "/api/reviews/<id>",
        ("reviews:read",),
        MEDIUM,
        get_review,
        QueryRules(fields=("event", "review"), include=("events",)),
    ),
)
