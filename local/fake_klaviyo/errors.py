"""Errors in Klaviyo's shape: `{"errors": [{id, status, code, title, detail, source, ...}]}`.

Source: schema ClientError of the official contract, and bodies recorded from the live API.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from local.fake_klaviyo.exchange import JSON_API, Answer, JsonObject

_TITLES = {
    "invalid": "Invalid input.",
    "authentication_failed": "Incorrect authentication credentials.",
    "permission_denied": "You do not have permission to perform this action.",
    "not_found": "Not found.",
    "method_not_allowed": "Method not allowed.",
    "not_acceptable": "Not acceptable.",
    "conflict": "Conflict.",
    "duplicate_profile": "Conflict.",
    "gone": "Gone.",
    "request_too_large": "Request entity too large.",
    "unsupported_media_type": "Unsupported media type.",
    "throttled": "Request was throttled.",
    "server_error": "Internal server error.",
    "bad_gateway": "Bad gateway.",
    "service_unavailable": "Service unavailable.",
}

STATUS_CODES = {
    400: "invalid",
    401: "authentication_failed",
    403: "permission_denied",
    404: "not_found",
    409: "conflict",
    410: "gone",
    413: "request_too_large",
    429: "throttled",
    500: "server_error",
    502: "bad_gateway",
    503: "service_unavailable",
}


@dataclass(frozen=True)
class Problem:
    """One entry of an error document; `pointer` names a place in the body, `parameter` one of the query."""

    detail: str
    pointer: str | None = "/data"
    parameter: str | None = None
    code: str = "invalid"
    meta: JsonObject = field(default_factory=dict)

    def document(self, status: int) -> JsonObject:
        """The entry as Klaviyo writes it."""
        source = {"parameter": self.parameter} if self.parameter else {"pointer": self.pointer}
        return {
            "id": str(uuid.uuid4()),
            "status": status,
            "code": self.code,
            "title": _TITLES.get(self.code, "Error."),
            "detail": self.detail,
            "source": source,
            "links": {},
            "meta": self.meta,
        }


class ApiError(Exception):
    """A refused request; `answer` turns it into the response."""

    def __init__(self, status: int, problems: Iterable[Problem], headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        super().__init__("; ".join(problem.detail for problem in self.problems))

    def answer(self) -> Answer:
        """The response with all problems."""
        document = {"errors": [problem.document(self.status) for problem in self.problems]}
        return Answer(self.status, {"Content-Type": JSON_API, **self.headers}, json.dumps(document).encode())


def refused(detail: str, pointer: str = "/data") -> ApiError:
    """A 400 that names one place in the body."""
    return ApiError(400, [Problem(detail, pointer)])


def bad_parameter(name: str, detail: str) -> ApiError:
    """A 400 that names one query parameter."""
    return ApiError(400, [Problem(detail, None, name)])


def unauthenticated(detail: str = "Incorrect authentication credentials.") -> ApiError:
    """The 401 for a missing, wrong, expired or revoked credential."""
    return ApiError(401, [Problem(detail, "/data/", code="authentication_failed")])


def forbidden(detail: str) -> ApiError:
    """The 403 for a missing scope or a feature the account lacks."""
    return ApiError(403, [Problem(detail, "/data/", code="permission_denied")])


def not_found(detail: str) -> ApiError:
    """The 404 for an unknown path or id."""
    return ApiError(404, [Problem(detail, "/data/", code="not_found")])
