"""What Klaviyo's answers mean: status and error document -> exception. Whether to try again hangs on the type alone.

Source: "Rate limits, status codes, and errors", and the error schema of the API document. Klaviyo publishes no list
of codes, so the status decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.domain.errors import LoyaltyError
from loyalty.domain.klaviyo_errors import (
    KlaviyoForbidden,
    KlaviyoIncompatible,
    KlaviyoRefused,
    KlaviyoUnauthorized,
    KlaviyoUnavailable,
)

MAX_DETAIL = 300
"""Characters of Klaviyo's words that are kept."""

_CONTENT_AT_FAULT = frozenset({400, 409, 413, 422})
_EMAIL = re.compile(r"[^\s\"'<>(),;:]+@[^\s\"'<>(),;:]+")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an error document says: the first problem's code and words, and every place in the body that is named."""

    code: str = ""
    detail: str = ""
    pointers: tuple[str, ...] = ()


def error_of(operation: str, status: int, headers: Mapping[str, str], body: bytes) -> LoyaltyError:
    """The exception that an answer other than 2xx means."""
    said = explanation(body)
    facts: dict[str, Any] = {
        "operation": operation,
        "status": status,
        "klaviyo_code": said.code,
        "detail": said.detail,
        "pointer": said.pointers[0] if said.pointers else "",
    }
    if status in _CONTENT_AT_FAULT:
        return KlaviyoRefused(f"Klaviyo refused it: {said.detail or status}", pointers=said.pointers, **facts)
    if status == 401:
        return KlaviyoUnauthorized("Klaviyo does not accept the credential.", **facts)
    if status == 403:
        return KlaviyoForbidden(f"Klaviyo does not allow it: {said.detail or status}", **facts)
    if status == 429:
        return KlaviyoUnavailable(
            "Klaviyo asks to come back later.",
            code="klaviyo_throttled",
            retry_after=_retry_after(headers) or 1,
            **facts,
        )
    if status >= 500 or status == 408:
        return KlaviyoUnavailable(f"Klaviyo is out of order ({status}).", retry_after=_retry_after(headers), **facts)
    return KlaviyoIncompatible(f"Klaviyo does not know this call ({status}).", **facts)


def explanation(body: bytes) -> Explanation:
    """Read an error document; anything else, such as an HTML page of some proxy, explains nothing."""
    try:
        errors = json.loads(body)["errors"]
        problems = [problem for problem in errors if isinstance(problem, dict)]
    except (ValueError, TypeError, KeyError):
        return Explanation()
    first = problems[0] if problems else {}
    pointers = (_pointer(problem.get("source")) for problem in problems)
    return Explanation(
        code=str(first.get("code") or ""),
        detail=blacked_out(str(first.get("detail") or first.get("title") or ""))[:MAX_DETAIL],
        pointers=tuple(pointer for pointer in pointers if pointer),
    )


def blacked_out(text: str) -> str:
    """Text without e-mail addresses."""
    return _EMAIL.sub("***", text)


def _pointer(source: object) -> str:
    return str(source.get("pointer") or "") if isinstance(source, dict) else ""


def _retry_after(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Retry-After", "").strip()
    return int(text) if text.isascii() and text.isdigit() else None
