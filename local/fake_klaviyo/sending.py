"""Posting webhook deliveries over HTTP."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests

TIMEOUT_SECONDS = 5.0
"""Klaviyo's limit for an answer, in real seconds."""

TAKEN = frozenset({200, 201, 202})
"""Statuses that count as delivered."""

_ANSWER_KEPT = 2_000


@dataclass(frozen=True)
class SendResult:
    """What a receiver answered, or why there was no answer."""

    status: int | None
    error: str | None
    body: str
    seconds: float

    @property
    def taken(self) -> bool:
        """Whether Klaviyo counts this as delivered."""
        return self.status in TAKEN


Send = Callable[[str, bytes, Mapping[str, str]], SendResult]
"""Post a body with headers to a URL."""


def post(url: str, body: bytes, headers: Mapping[str, str]) -> SendResult:
    """Post one delivery; redirects are not followed, after five seconds the attempt has failed."""
    started = time.monotonic()
    try:
        answer = requests.post(url, data=body, headers=dict(headers), timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return SendResult(None, type(error).__name__, "", time.monotonic() - started)
    return SendResult(answer.status_code, None, answer.text[:_ANSWER_KEPT], time.monotonic() - started)
