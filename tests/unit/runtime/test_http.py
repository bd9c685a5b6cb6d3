"""HTTP conventions: one table of problems, requests as they came, and no exception that reaches the gateway."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import Response

from loyalty.domain.errors import (
    Conflict,
    Duplicate,
    Forbidden,
    Invalid,
    KeyReused,
    Misconfigured,
    NotFound,
    Rejected,
    Transient,
    Unauthenticated,
)
from loyalty.runtime import http
from loyalty.runtime.observability import Answer, Event, invocation
from tests.deliveries import LambdaContext, a_proxy_event
from tests.logs import written

SECRET = "sarah.mason@klaviyo-demo.com"


class Endpoint:
    """A function with one route that does what the test wants."""

    def __init__(self, outcome: Any = None) -> None:
        self.requests: list[http.Request] = []
        api = http.api()

        @api.post("/webhooks/klaviyo/<slug>")
        def receive(slug: str) -> Response[str]:
            self.requests.append(http.request(api))
            if isinstance(outcome, Exception):
                raise outcome
            return http.accepted({"slug": slug})

        @invocation
        def handler(event: Event, context: Any) -> Answer:
            return http.answer(api, event, context)

        self.handler = handler

    def call(self, event: Event) -> tuple[int, dict[str, Any], dict[str, list[str]]]:
        answer = self.handler(event, LambdaContext())  # type: ignore[arg-type]
        headers = {name: [value] for name, value in answer.get("headers", {}).items()}
        return answer["statusCode"], json.loads(answer["body"]), answer.get("multiValueHeaders", headers)


def post(**changes: Any) -> Event:
    return a_proxy_event("candles", {"X-Test": "1"}, b"{}") | changes


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (Unauthenticated("who?", code="invalid_signature"), 401, "invalid_signature", None),
        (Forbidden("no"), 403, "forbidden", None),
        (NotFound("gone", code="unknown_program"), 404, "unknown_program", None),
        (Invalid("bad", code="malformed_json"), 400, "malformed_json", None),
        (KeyReused("again"), 422, "idempotency_key_reused", None),
        (Rejected("no", code="program_exists"), 422, "program_exists", None),
        (Conflict("busy"), 503, "conflict", "1"),
        (Transient("later"), 503, "temporarily_unavailable", "5"),
        (Transient("later", retry_after=17), 503, "temporarily_unavailable", "17"),
        (Misconfigured("no table named ledger"), 503, "misconfigured", "60"),
        (Duplicate("again", first=None), 503, "duplicate", "60"),
        (KeyError(SECRET), 503, "internal", "5"),
    ],
)
def test_every_exception_is_a_problem(error: Exception, status: int, code: str, retry_after: str | None) -> None:
    """RFC 9457, with a stable code; what is not the caller's fault is 503 with a time to come back."""
    given, problem, headers = Endpoint(error).call(post())
    assert given == problem["status"] == status
    assert headers["Content-Type"] == ["application/problem+json"]
    assert headers.get("Retry-After", [None]) == [retry_after]
    assert problem["code"] == code
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == "gateway-request-1"
    assert SECRET not in json.dumps(problem)


def test_a_caller_is_told_the_facts_of_a_rejection_and_only_of_that() -> None:
    _, rejected, _ = Endpoint(Invalid("bad", code="c", status="no", place="meta")).call(post())
    assert rejected["place"] == "meta"
    assert rejected["status"] == 400, "a fact never hides a member of the standard"
    _, broken, _ = Endpoint(Misconfigured("m", table="ledger")).call(post())
    assert "ledger" not in json.dumps(broken)


def test_a_route_that_is_not_there_is_a_problem_too() -> None:
    for event in (post(path="/elsewhere"), post(httpMethod="DELETE")):
        status, problem, headers = Endpoint().call(event)
        assert (status, problem["code"]) == (404, "no_such_route")
        assert headers["Content-Type"] == ["application/problem+json"]


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"path": 7, "httpMethod": "POST"}], ids=str)
def test_an_event_that_is_no_request_is_answered_as_well(event: Event) -> None:
    """The gateway would make a 502 without words of an exception."""
    status, problem, headers = Endpoint().call(event)
    assert (status, problem["code"]) == (503, "internal")
    assert headers["Retry-After"] == ["5"]


def test_a_request_keeps_its_bytes_and_loses_the_case_of_its_headers() -> None:
    endpoint = Endpoint()
    body = "ü {}\n".encode()
    for event in (
        a_proxy_event("candles", {"KLAVIYO-Signature": "Ab"}, body, as_base64=flag) for flag in (True, False)
    ):
        status, answer, _ = endpoint.call(event)
        assert (status, answer) == (202, {"slug": "candles"})
    for request in endpoint.requests:
        assert request.body == body
        assert request.headers == {"klaviyo-signature": "Ab"}


def test_an_empty_body_and_absent_headers_are_nothing_special() -> None:
    endpoint = Endpoint()
    for nothing in (None, ""):
        endpoint.call(post(body=nothing, headers=None, multiValueHeaders=None))
    assert {(request.body, tuple(request.headers)) for request in endpoint.requests} == {(b"", ())}


def test_base64_that_is_none_is_the_callers_fault() -> None:
    status, problem, _ = Endpoint().call(post(body="no base64!", isBase64Encoded=True))
    assert (status, problem["code"]) == (400, "malformed_body")


def test_the_stage_prefix_of_a_custom_domain_is_taken_off() -> None:
    """A domain mapped at base path v1 leaves it in the path."""
    status, _, _ = Endpoint().call(post(path="/v1/webhooks/klaviyo/candles"))
    assert status == 202


def test_a_given_correlation_id_is_kept_if_it_is_one() -> None:
    endpoint = Endpoint()
    endpoint.call(post(headers={"X-Correlation-Id": "order-17.a_b"}))
    endpoint.call(post(headers={"X-Correlation-Id": f"{SECRET}\nforged"}))
    endpoint.call(post(headers={}, requestContext=None))
    assert [request.id for request in endpoint.requests] == [
        "order-17.a_b",
        "gateway-request-1",
        LambdaContext().aws_request_id,
    ]


def test_an_unexpected_error_is_logged_with_its_origin_and_without_its_words() -> None:
    """The words of an error may quote what came in."""
    with written() as out:
        Endpoint(ValueError(f"cannot read {SECRET}")).call(post(body=base64.b64encode(SECRET.encode()).decode()))
    (line,) = out.lines("request not served")
    assert line["level"] == "ERROR"
    assert line["error"] == "ValueError"
    assert line["correlation_id"] == "gateway-request-1"
    assert any("test_http.py" in frame and "receive" in frame for frame in line["stack"])
    assert SECRET not in out.text


def test_a_rejection_is_logged_with_its_code_and_no_stack() -> None:
    with written() as out:
        Endpoint(Unauthenticated("who?", code="invalid_signature", program="candles")).call(post())
    (line,) = out.lines("request not served")
    assert (line["level"], line["code"], line["facts"]) == ("WARNING", "invalid_signature", {"program": "candles"})
    assert "stack" not in line
