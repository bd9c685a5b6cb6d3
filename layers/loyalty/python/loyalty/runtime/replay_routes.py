"""The routes about replays of events, for the function that serves the connection."""

from __future__ import annotations

import json
from collections.abc import Callable

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from loyalty.runtime import http
from loyalty.services.serve_replays import ServeReplays


def add_routes(api: APIGatewayRestResolver, replays: Callable[[], ServeReplays]) -> None:
    """Add them to an API: POST and GET /v1/programs/{slug}/klaviyo/replay."""

    @api.post("/programs/<slug>/klaviyo/replay")
    def replay_events(slug: str) -> Response[str]:
        """Tell Klaviyo afterwards of events it was not told of."""
        request = http.request(api)
        return http.accepted(replays().begin(slug, request.headers, request.body))

    @api.get("/programs/<slug>/klaviyo/replay")
    def read_replay(slug: str) -> Response[str]:
        """How the newest replay is."""
        return http.answered(json.dumps(replays().show(slug, http.request(api).headers)), cache_control="no-store")
