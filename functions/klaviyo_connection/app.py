"""A program's connection to Klaviyo: GET /v1/programs/{slug}/klaviyo, and POST .../connect and .../disconnect."""

from __future__ import annotations

import json

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import connection_container, http
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import KlaviyoConnectionSettings
from loyalty.runtime.use_case import UseCase

service = UseCase(KlaviyoConnectionSettings, connection_container.serve_connection)
api = http.api()


@api.get("/programs/<slug>/integrations")
def integrations(slug: str) -> Response[str]:
    """The program's integrations."""
    return http.answered(json.dumps(service().integrations(slug, http.request(api).headers)))


@api.get("/programs/<slug>/klaviyo")
def health(slug: str) -> Response[str]:
    """How the connection is."""
    return http.answered(json.dumps(service().show(slug, http.request(api).headers)), cache_control="no-store")


@api.post("/programs/<slug>/klaviyo/connect")
def connect(slug: str) -> Response[str]:
    """Begin a connection by OAuth, or make one by private key."""
    request = http.request(api)
    document, outcome = service().connect(slug, request.headers, request.body, until=http.until(api))
    if outcome is not None:
        report(outcome)
    return http.answered(json.dumps(document), cache_control="no-store")


@api.post("/programs/<slug>/klaviyo/disconnect")
def disconnect(slug: str) -> Response[str]:
    """End the connection."""
    request = http.request(api)
    document, outcome = service().disconnect(slug, request.headers, request.body)
    report(outcome)
    return http.answered(json.dumps(document))


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
