"""The routes of the webhook builder, for the function that serves the connection."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from loyalty.runtime import http
from loyalty.runtime.observability import report
from loyalty.services.build_webhooks import BuildWebhooks


def add_routes(api: APIGatewayRestResolver, builder: Callable[[], BuildWebhooks]) -> None:
    """Add them to an API: GET /v1/programs/{slug}/webhook-builder, and POST .../flow."""

    @api.get("/programs/<slug>/webhook-builder")
    def build_webhook(slug: str) -> Response[str]:
        """A webhook action to paste; it holds the key that asked for it, which is why nobody may store it."""
        request, base_url = http.request(api), http.base_url(api)
        built = builder().show(slug, request.headers, http.query(api), base_url=base_url)
        return http.answered(built.model_dump_json(), cache_control="no-store")

    @api.post("/programs/<slug>/webhook-builder/flow")
    def draft_flow(slug: str) -> Response[str]:
        """Create the flow around a webhook action as a draft."""
        request, base_url = http.request(api), http.base_url(api)
        document, outcome = builder().draft(slug, request.headers, request.body, base_url=base_url)
        report(outcome)
        status = HTTPStatus.CREATED if document.created else HTTPStatus.OK
        return http.answered(document.model_dump_json(), status)
