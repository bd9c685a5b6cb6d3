"""The review rule on the deployed stack, under its functions' own permissions: limits, moderation, "why no points?"."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from local.stack import Stack
from local.waiting import eventually
from tests.reviews import WRITTEN, a_message

RULE = {
    "enabled": True,
    "points": 40,
    "verified_only": True,
    "app": "klaviyo_flow",
    "limit": {"reviews": 1, "period": "month"},
    "refuse_duplicates": True,
}


class Shop:
    """A program of its own, not connected to Klaviyo, told of reviews through the queue."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.slug = f"shop-{uuid.uuid4().hex[:8]}"
        self.key = stack.description.operator_key
        opened = requests.post(
            f"{stack.description.api_url}/programs",
            json={"slug": self.slug, "name": "Candle Club"},
            headers={"api-key": self.key},
            timeout=60,
        )
        assert opened.status_code == 201, opened.text
        self.key = opened.json()["api_key"]

    def call(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        url = f"{self.stack.description.api_url}/programs/{self.slug}{path}"
        return requests.request(method, url, json=body, headers={"api-key": self.key, **headers}, timeout=60)

    def tell(self, **said: Any) -> None:
        """Put a review on the queue, as every way in does."""
        queue = self.stack.description.reviews_queue_url
        body = a_message(self.slug, **said).to_json()
        self.stack.client("sqs").send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=self.slug)

    def decided(self, review_id: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The decision on a review, once it is as it is waited for."""

        def read() -> dict[str, Any] | None:
            answer = self.call("GET", f"/reviews/{review_id}/decision")
            document: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
            return document if document and is_so(document) else None

        found: dict[str, Any] = eventually(f"decision on {review_id}", read, seconds=240)
        return found


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack)


def test_a_rule_is_edited_and_reviews_are_paid_limited_taken_back_and_explained(shop: Shop, customer: str) -> None:
    """R99-R101, R104, R105, R110, R113, R119."""
    listed = shop.call("GET", "/earning-rules").json()["earning_rules"]
    assert "Review a product (Klaviyo)" in [rule["name"] for rule in listed]
    out_of_reach = shop.call("PUT", "/earning-rules/review", {**RULE, "app": "klaviyo_reviews"}, **{"If-Match": '"1"'})
    assert (out_of_reach.status_code, out_of_reach.json()["code"]) == (409, "klaviyo_not_connected")
    assert out_of_reach.json()["connect_url"].endswith(f"/programs/{shop.slug}/klaviyo/connect")
    never = shop.call("GET", "/reviews/never/decision").json()
    assert (never["outcome"], never["code"]) == ("unheard", "not_connected")

    changed = shop.call("PUT", "/earning-rules/review", RULE, **{"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    # Judged by the edited rule, for it was written after the edit.
    later = WRITTEN.replace(year=WRITTEN.year + 10)
    first, second, third = (uuid.uuid4().hex for _ in range(3))
    shop.tell(review_key=first, other_keys=("evt-1",), email=customer, submitted_at=later, text_digest=first)
    paid = shop.decided(first, lambda said: said["points"] == 40)
    assert paid == shop.decided("evt-1", bool)
    shop.tell(review_key=second, email=customer, submitted_at=later + timedelta(days=1), text_digest=second)
    assert shop.decided(second, lambda said: said["outcome"] == "refused")["code"] == "period_limit"
    shop.tell(review_key=third, email=f"x{customer}", submitted_at=later, text_digest=first)
    assert shop.decided(third, lambda said: said["outcome"] == "refused")["code"] == "duplicate_text"
    shop.tell(
        review_key=first,
        email=customer,
        submitted_at=later,
        text_digest=first,
        status="rejected",
        updated_at=later + timedelta(hours=1),
    )
    # The decision is stored first, then its points move.
    assert shop.decided(first, lambda said: said["points"] == 0)["outcome"] == "taken_back"

    reviews = shop.call("GET", f"/members/{customer}/reviews").json()["reviews"]
    assert [(each["review_id"], each["code"]) for each in reviews] == [
        (second, "period_limit"),
        (first, "review_rejected"),
    ]
    assert shop.call("GET", f"/members/{customer}").json()["balances"]["available"] == 0
