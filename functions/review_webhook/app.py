"""Takes signed review deliveries and queues each review: POST /v1/webhooks/klaviyo/{slug} and .../judgeme/{slug}."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import http, intake_container
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import ReviewWebhookSettings
from loyalty.runtime.use_case import UseCase

intake = UseCase(ReviewWebhookSettings, intake_container.intake_reviews)
api = http.api()


@api.post("/webhooks/klaviyo/<slug>")
def receive_from_klaviyo(slug: str) -> Response[str]:
    """Take a delivery of Klaviyo's."""
    return receive(slug, "klaviyo")


@api.post("/webhooks/judgeme/<slug>")
def receive_from_judgeme(slug: str) -> Response[str]:
    """Take a delivery of Judge.me's."""
    return receive(slug, "judgeme")


def receive(slug: str, source: str) -> Response[str]:
    """Take one delivery in; 202 once every review in it is stored."""
    request = http.request(api)
    outcome = intake()(slug, request.headers, request.body, request.id, source)
    report(outcome)
    return http.accepted(outcome.answer)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
