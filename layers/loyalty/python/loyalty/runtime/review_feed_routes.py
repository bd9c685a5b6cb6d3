"""The routes by which a merchant lets another review app deliver: /v1/programs/{slug}/review-apps/judgeme (R188)."""

from __future__ import annotations

from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from loyalty.contracts.review_feed_documents import ReviewFeedDocument, read_secret
from loyalty.domain.reviews import ReviewSource
from loyalty.runtime import http
from loyalty.runtime.observability import report
from loyalty.services.keep_review_feeds import FeedKept, KeepReviewFeeds

PATH = "/programs/<slug>/review-apps/judgeme"


def add_routes(api: APIGatewayRestResolver, feeds: Callable[[], KeepReviewFeeds]) -> None:
    """Add them to a function's resolver; ``feeds`` gives the use case."""

    def told(outcome: FeedKept) -> Response[str]:
        document = ReviewFeedDocument.of(outcome.feed, http.base_url(api), outcome.program.slug)
        return http.answered(document.model_dump_json(), cache_control="no-store")

    @api.get(PATH)
    def show(slug: str) -> Response[str]:
        """Whether Judge.me may deliver."""
        return told(feeds().show(slug, http.request(api).headers, ReviewSource.JUDGEME))

    @api.put(PATH)
    def switch_on(slug: str) -> Response[str]:
        """Let Judge.me deliver with a secret."""
        request = http.request(api)
        secret = read_secret(request.body)
        outcome = feeds().switch_on(slug, request.headers, ReviewSource.JUDGEME, secret)
        report(outcome)
        return told(outcome)

    @api.delete(PATH)
    def switch_off(slug: str) -> Response[str]:
        """Let Judge.me deliver nothing any more."""
        outcome = feeds().switch_off(slug, http.request(api).headers, ReviewSource.JUDGEME)
        report(outcome)
        return told(outcome)
