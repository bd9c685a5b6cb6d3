"""Takes reviews as Klaviyo flows send them and queues each: POST /v1/programs/{slug}/reviews."""

from __future__ import annotations

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import http, review_flow_container
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import ReviewFlowSettings
from loyalty.runtime.use_case import UseCase

service = UseCase(ReviewFlowSettings, review_flow_container.take_flow_review)
api = http.api()


@api.post("/programs/<slug>/reviews")
def take(slug: str) -> Response[str]:
    """Take one review in; 202 once it is stored."""
    request = http.request(api)
    outcome = service()(slug, request.headers, request.body, request.id)
    report(outcome)
    return http.answered(outcome.answer, HTTPStatus.ACCEPTED)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
