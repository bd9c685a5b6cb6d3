"""A program's connections to Klaviyo and to other review apps, and webhook actions for Klaviyo's flows."""

from __future__ import annotations

import json
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import connection_container, http, replay_routes, review_feed_routes
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import KlaviyoConnectionSettings
from loyalty.runtime.use_case import UseCase

service = UseCase(KlaviyoConnectionSettings, connection_container.serve_connection)
syncs = UseCase(KlaviyoConnectionSettings, connection_container.serve_sync)
api = http.api()
review_feed_routes.add_routes(api, lambda: service().feeds)
replay_routes.add_routes(api, lambda: service().replays)


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


@api.post("/programs/<slug>/klaviyo/sync")
def start_sync(slug: str) -> Response[str]:
    """Start a full sync."""
    document = syncs().start(slug, http.request(api).headers)
    return http.answered(json.dumps(document), HTTPStatus.ACCEPTED)


@api.get("/programs/<slug>/klaviyo/sync")
def read_sync(slug: str) -> Response[str]:
    """How far the newest full sync is."""
    return http.answered(json.dumps(syncs().show(slug, http.request(api).headers)), cache_control="no-store")


@api.delete("/programs/<slug>/klaviyo/sync")
def cancel_sync(slug: str) -> Response[str]:
    """Cancel the running full sync."""
    return http.answered(json.dumps(syncs().cancel(slug, http.request(api).headers)))


@api.get("/programs/<slug>/webhook-builder")
def build_webhook(slug: str) -> Response[str]:
    """A webhook action to paste; it holds the key that asked for it, which is why nobody may store it."""
    request, base_url = http.request(api), http.base_url(api)
    built = service().builder.show(slug, request.headers, http.query(api), base_url=base_url)
    return http.answered(built.model_dump_json(), cache_control="no-store")


@api.post("/programs/<slug>/webhook-builder/flow")
def draft_flow(slug: str) -> Response[str]:
    """Create the flow around a webhook action as a draft."""
    request, base_url = http.request(api), http.base_url(api)
    document, outcome = service().builder.draft(slug, request.headers, request.body, base_url=base_url)
    report(outcome)
    status = HTTPStatus.CREATED if document.created else HTTPStatus.OK
    return http.answered(document.model_dump_json(), status)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
