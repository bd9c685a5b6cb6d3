"""The inspection API under `/_fake/`: no credentials, plain JSON, for tests and people.

Every address with its method and purpose is in `local/fake_klaviyo/README.md`; `GET /_fake` lists them too.
To add one, write a function in a module here and list it in the module's `ROUTES`.
"""

import json
from typing import Any

from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from local.fake_klaviyo.exchange import Answer, JsonObject, Request
from local.fake_klaviyo.inspection import access, assets, control, outcomes, people, webhooks
from local.fake_klaviyo.inspection.routes import Ask, InspectionError, Route
from local.fake_klaviyo.services import Services

ROUTES: tuple[Route, ...] = (
    *control.ROUTES,
    *access.ROUTES,
    *people.ROUTES,
    *assets.ROUTES,
    *webhooks.ROUTES,
    *outcomes.ROUTES,
)

_MAP = Map([Rule(route.path, methods=[route.method], endpoint=route) for route in ROUTES], strict_slashes=False)


def inspect(services: Services, request: Request) -> Answer:
    """Answer one call of the inspection API; 400 with `{"error": ...}` for a bad one."""
    if request.method == "GET" and request.path.rstrip("/") == "/_fake":
        return _json(200, {"routes": [f"{r.method} {r.path}: {r.purpose}" for r in ROUTES]})
    try:
        route, params = _MAP.bind("").match(request.path, request.method)
        ask = Ask(services, dict(params), dict(request.query), _body(request))
        return _json(200, route.act(ask))
    except HTTPException as error:
        return _json(error.code or 500, {"error": error.name})
    except (InspectionError, ValidationError, ValueError) as error:
        return _json(400, {"error": str(error)})
    except KeyError as error:
        return _json(404, {"error": f"unknown: {error.args[0]}"})


def _body(request: Request) -> JsonObject:
    body = json.loads(request.body) if request.body else {}
    if not isinstance(body, dict):
        raise InspectionError("the body must be a JSON object")
    return body


def _json(status: int, document: Any) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document, default=str).encode())
