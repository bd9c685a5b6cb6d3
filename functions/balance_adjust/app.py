"""Adds and takes points as flows and systems ask: POST /v1/programs/{slug}/balance/increase and .../decrease."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import balance_container, http
from loyalty.runtime.observability import Answer, Event, invocation, report
from loyalty.runtime.settings import BalanceAdjustSettings
from loyalty.runtime.use_case import UseCase

service = UseCase(BalanceAdjustSettings, balance_container.adjust_balances)
api = http.api()


@api.post("/programs/<slug>/balance/increase")
def increase(slug: str) -> Response[str]:
    """Add points."""
    return adjust(slug, "increase")


@api.post("/programs/<slug>/balance/decrease")
def decrease(slug: str) -> Response[str]:
    """Take points."""
    return adjust(slug, "decrease")


def adjust(slug: str, direction: str) -> Response[str]:
    """Do what the request asks for; 200 once every item is done or refused."""
    request = http.request(api)
    outcome = service()(slug, direction, request.headers, request.body, until=http.until(api))
    report(outcome)
    return http.answered(outcome.answer)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
