"""Programs, settings, keys and members: everything of the API below /v1 but moving points."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime import http, program_api, program_container
from loyalty.runtime.observability import Answer, Event, invocation
from loyalty.runtime.settings import ProgramApiSettings
from loyalty.runtime.use_case import UseCase

service = UseCase(ProgramApiSettings, program_container.program_api)
api = program_api.resolver(service)


@invocation
def lambda_handler(event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event."""
    return http.answer(api, event, context)
