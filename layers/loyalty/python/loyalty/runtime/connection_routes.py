"""The routes about a program's connection: its state, connecting, disconnecting and full syncs."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from loyalty.runtime import http
from loyalty.runtime.observability import report
from loyalty.services.run_sync import ServeSync
from loyalty.services.serve_connection import ServeConnection


def add_routes(api: APIGatewayRestResolver, service: Callable[[], ServeConnection]) -> None:
    """Add them to an API: what is below /v1/programs/{slug}/klaviyo, and the list of integrations."""

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


def add_sync_routes(api: APIGatewayRestResolver, syncs: Callable[[], ServeSync]) -> None:
    """Add those of full syncs: POST, GET and DELETE /v1/programs/{slug}/klaviyo/sync."""

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
