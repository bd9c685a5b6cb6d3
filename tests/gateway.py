"""Requests to the API as its gateway hands them to a function, and answers as callers see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HOST = "abcde12345.execute-api.eu-central-1.amazonaws.com"


@dataclass
class Context:
    """What Lambda tells a function about its invocation."""

    function_name: str = "test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:000000000000:function:test"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"
    left: int = 25_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left


@dataclass(frozen=True)
class Answered:
    """An answer: its status, headers by lower-cased name, and its JSON document."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    document: Any = None


def a_request(
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A proxy event; a body that is neither text nor None is sent as JSON."""
    sent = {"Content-Type": "application/json", "Host": HOST, "X-Forwarded-Proto": "https", **(headers or {})}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": None,
        "requestContext": {"requestId": "request-1", "domainName": HOST, "path": f"/v1{path}", "stage": "v1"},
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def answered(raw: Mapping[str, Any]) -> Answered:
    """What a function's answer is to its caller."""
    lists = raw.get("multiValueHeaders") or {}
    headers = {name.lower(): values[0] for name, values in lists.items()}
    headers |= {name.lower(): value for name, value in (raw.get("headers") or {}).items()}
    return Answered(raw["statusCode"], headers, json.loads(raw["body"]) if raw.get("body") else None)
