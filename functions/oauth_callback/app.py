"""The browser's way to Klaviyo and back: GET /v1/klaviyo/oauth/start, .../callback and .../install."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import connect_pages, http, journey_container, pages
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import OauthCallbackSettings
from loyalty.runtime.use_case import UseCase

journey = UseCase(OauthCallbackSettings, journey_container.connect_journey)
api = http.api(pages.trouble)


@api.get("/klaviyo/oauth/start")
def start() -> Response[str]:
    """Send the browser to Klaviyo."""
    return connect_pages.start(journey(), http.query(api))


@api.get("/klaviyo/oauth/callback")
def callback() -> Response[str]:
    """Finish what Klaviyo confirmed."""
    request = http.request(api)
    return connect_pages.callback(journey(), http.query(api), request.headers, until=http.until(api))


@api.get("/klaviyo/oauth/install")
def install() -> Response[str]:
    """Ask who is installing from Klaviyo's side."""
    return pages.install_form()


@api.post("/klaviyo/oauth/install")
def choose() -> Response[str]:
    """Take the answer."""
    return connect_pages.install(journey(), http.request(api).body)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
