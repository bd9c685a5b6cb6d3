"""HTTP conventions: the REST resolver, requests as they came, one table from exceptions to problem+json (RFC 9457)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    KeyReused,
    LoyaltyError,
    NotFound,
    Outdated,
    Rejected,
    StateForbids,
    TooLarge,
    TooManyRequests,
    Transient,
    Unauthenticated,
    VersionMissing,
)
from loyalty.runtime.observability import Answer, Event, follow, report_error

STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (Invalid, HTTPStatus.BAD_REQUEST),
    (StateForbids, HTTPStatus.CONFLICT),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (Outdated, HTTPStatus.PRECONDITION_FAILED),
    (VersionMissing, HTTPStatus.PRECONDITION_REQUIRED),
    (KeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Rejected, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TooManyRequests, HTTPStatus.TOO_MANY_REQUESTS),
    (Exception, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""The first line that fits decides. Whatever is not the caller's fault is a 503, the one answer that everybody sends
again: Klaviyo's flow webhooks drop a request for good after most others (docs/klaviyo.md 7)."""

RETRY_AFTER = 5
RETRY_AFTER_CONFLICT = 1
RETRY_AFTER_OUTAGE = 60
"""Seconds. An outage ends when an operator has acted; asking every few seconds would not help."""

RESERVE = timedelta(seconds=5)
"""Kept free at the end of an invocation for what was begun and for the answer."""

_PREFIX = "/v1"
_GIVEN_ID = "x-correlation-id"
_PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: the body's bytes, and headers by lower-cased name. ``id`` is the correlation id."""

    id: str
    headers: Mapping[str, str]
    body: bytes


def api(trouble: Callable[[Exception], Response[str]] | None = None) -> APIGatewayRestResolver:
    """A resolver that answers every exception with a problem, or as ``trouble`` says where people are answered.

    A custom domain that maps the stage at ``v1`` leaves that prefix in the path; it is taken off.
    """
    resolver = APIGatewayRestResolver(strip_prefixes=[_PREFIX], debug=False)

    def respond(error: Exception) -> Response[str]:
        status, headers, body = problem(error, resolver.context.get("correlation_id", ""))
        return Response(int(status), _PROBLEM, body, headers)

    resolver.exception_handler([Exception, NotFoundError])(trouble or respond)
    return resolver


def answer(resolver: APIGatewayRestResolver, event: Event, context: LambdaContext) -> Answer:
    """Answer a REST proxy event. Never raises, for the gateway would make a 502 without words of that."""
    gateway_id = (event.get("requestContext") or {}).get("requestId") or context.aws_request_id
    correlation_id = follow(_headers(event).get(_GIVEN_ID), otherwise=gateway_id)
    resolver.context["correlation_id"] = correlation_id
    try:
        return resolver.resolve(event, context)
    except Exception as error:  # noqa: BLE001 - this is no proxy event; what a route raises is answered by the resolver
        status, headers, body = problem(error, correlation_id)
        headers["Content-Type"] = _PROBLEM
        return {"statusCode": int(status), "headers": headers, "body": body, "isBase64Encoded": False}


def request(resolver: APIGatewayRestResolver) -> Request:
    """The request being answered, its body as the bytes that a signature covers.

    Raises:
        Invalid: the gateway's base64 cannot be decoded.
    """
    event = resolver.current_event
    return Request(resolver.context["correlation_id"], _headers(event.raw_event), _body(event.raw_event))


def query(resolver: APIGatewayRestResolver) -> Mapping[str, str]:
    """The request's query; of a parameter that is repeated, the last one."""
    return dict(resolver.current_event.raw_event.get("queryStringParameters") or {})


def accepted(facts: Mapping[str, Any]) -> Response[str]:
    """202: what was sent is stored and will be worked on."""
    return Response(int(HTTPStatus.ACCEPTED), "application/json", json.dumps(dict(facts)))


def answered(body: str, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Response[str]:
    """A JSON document that is no problem; ``headers`` go by their names with underscores."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Response(int(status), "application/json", body, named)


def base_url(resolver: APIGatewayRestResolver) -> str:
    """The API's root as the caller reached it, with or without a custom domain: what is before the route's path."""
    event = resolver.current_event.raw_event
    headers, context = _headers(event), event.get("requestContext") or {}
    scheme = headers.get("x-forwarded-proto", "https")
    host = headers.get("host") or context.get("domainName") or ""
    path, full = str(event.get("path") or ""), str(context.get("path") or "")
    root = full.removesuffix(path) if full.endswith(path) else _PREFIX
    return f"{scheme}://{host}{root or _PREFIX}"


def until(resolver: APIGatewayRestResolver) -> datetime:
    """When the answer must be on its way."""
    left = resolver.lambda_context.get_remaining_time_in_millis()
    return datetime.now(UTC) + timedelta(milliseconds=left) - RESERVE


def problem(error: Exception, correlation_id: str) -> tuple[HTTPStatus, dict[str, str], str]:
    """Log an exception and put it into a caller's words: status, headers, and a problem document with a stable code."""
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    facts: Mapping[str, Any] = {}
    retry_after = 0
    match error:
        case Rejected():
            code, detail, facts = error.code, error.message, error.facts
        case Conflict():
            code, detail, retry_after = error.code, error.message, RETRY_AFTER_CONFLICT
        case Transient():
            code, detail, retry_after = error.code, error.message, error.retry_after or RETRY_AFTER
        case NotFoundError():
            code, detail = "no_such_route", "There is nothing under this method and path."
        case LoyaltyError():
            code, retry_after = error.code, RETRY_AFTER_OUTAGE
            detail = "The service is not set up correctly. Send the request again later."
        case _:
            code, retry_after = "internal", RETRY_AFTER
            detail = "Something unexpected happened and was logged. Send the request again later."
    if not isinstance(error, NotFoundError):
        report_error("request not served", error)
    words = {"type": "about:blank", "title": status.phrase, "status": int(status), "code": code, "detail": detail}
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return status, headers, json.dumps({**facts, **words, "request_id": correlation_id}, default=str)


def _headers(event: Event) -> dict[str, str]:
    return {name.lower(): value for name, value in (event.get("headers") or {}).items() if isinstance(value, str)}


def _body(event: Event) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("The body is not valid base64.", code="malformed_body") from None
