"""The route that sends sample events, for the function that serves the connection."""

from __future__ import annotations

from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from loyalty.runtime import http
from loyalty.runtime.observability import report
from loyalty.services.send_sample_events import SendSampleEvents


def add_routes(api: APIGatewayRestResolver, samples: Callable[[], SendSampleEvents]) -> None:
    """Add it to an API: POST /v1/programs/{slug}/klaviyo/sample-events."""

    @api.post("/programs/<slug>/klaviyo/sample-events")
    def send_sample_events(slug: str) -> Response[str]:
        """Send Klaviyo one sample of every selected event."""
        request = http.request(api)
        document, outcome = samples()(slug, request.headers, request.body, until=http.until(api))
        report(outcome)
        return http.answered(document.model_dump_json())
