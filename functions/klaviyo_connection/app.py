"""A program's connections to Klaviyo and to other review apps, and webhook actions for Klaviyo's flows."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import (
    connection_container,
    connection_routes,
    http,
    replay_routes,
    review_feed_routes,
    sample_routes,
    webhook_routes,
)
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import KlaviyoConnectionSettings
from loyalty.runtime.use_case import UseCase

service = UseCase(KlaviyoConnectionSettings, connection_container.serve_connection)
api = http.api()
connection_routes.add_routes(api, service)
connection_routes.add_sync_routes(api, lambda: service().syncs)
review_feed_routes.add_routes(api, lambda: service().feeds)
replay_routes.add_routes(api, lambda: service().replays)
sample_routes.add_routes(api, lambda: service().samples)
webhook_routes.add_routes(api, lambda: service().builder)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
