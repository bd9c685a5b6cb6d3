"""Klaviyo's part in bulk imports, made for a million profiles: its published limits are kept, the profiles are not.

The fake Klaviyo of the tests keeps everything it is told, which is what would be measured otherwise.
"""

from __future__ import annotations

import json
import math
import re
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from typing_extensions import override
from urllib3 import HTTPResponse

from local.fake_klaviyo.clock import ManualClock
from local.fake_klaviyo.errors import ApiError
from local.fake_klaviyo.rate_limits import MEDIUM, QuotaKey, RateLimiter
from local.fake_klaviyo.switches import Switches

MOST_BYTES, MOST_PROFILES = 5_000_000, 10_000
PROCESSING = 2.0
"""Seconds a job takes."""

_MEMBER = re.compile(rb'"email":"m(\d+)@')


class CountingKlaviyo(BaseAdapter):
    """Takes bulk imports of the members ``m0`` to ``m<size - 1>`` and counts how often each was in one."""

    def __init__(self, clock: ManualClock, size: int) -> None:
        super().__init__()
        self._clock = clock
        self._limiter = RateLimiter(clock, Switches())
        self.met = bytearray(size)
        self.calls: dict[str, list[float]] = {"submit": [], "look": []}
        self.bytes = 0
        self.wrong = 0
        self._ready: list[float] = []

    @property
    def throttled(self) -> int:
        """Calls above the published limits."""
        return sum(int(quota["throttled"]) for quota in self._limiter.report())

    @override
    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer one call."""
        path, now = urlsplit(request.url or "").path, self._clock.elapsed()
        kind = "submit" if request.method == "POST" else "look"
        try:
            self._limiter.take(QuotaKey("AbC123", "", kind), MEDIUM)
        except ApiError as refused:
            return answer(request, refused.status, {"errors": []}, refused.headers)
        self.calls[kind].append(now)
        if kind == "look":
            return answer(request, 200, self._job(int(path.rpartition("/")[2]), now))
        body = request.body or b""
        assert isinstance(body, bytes)
        self._take(body)
        self._ready.append(now + PROCESSING)
        return answer(request, 202, self._job(len(self._ready) - 1, now))

    @override
    def close(self) -> None:
        """There is nothing to close."""

    def _take(self, body: bytes) -> None:
        members = [int(number) for number in _MEMBER.findall(body)]
        self.wrong += len(body) > MOST_BYTES or len(members) > MOST_PROFILES
        self.bytes += len(body)
        for number in members:
            self.met[number] = min(255, self.met[number] + 1)

    def _job(self, number: int, now: float) -> Any:
        status = "complete" if now >= self._ready[number] else "processing"
        return {"data": {"id": str(number), "attributes": {"status": status, "failed_count": 0}}}


def least_seconds(calls: int) -> float:
    """How long so many calls take at least under the published windows: 10 a second, 150 a minute."""
    full, rest = divmod(max(0, calls - 1), 150)
    return full * 60.0 + math.floor(rest / 10)


def answer(
    request: requests.PreparedRequest, status: int, document: Any, headers: dict[str, str] | None = None
) -> requests.Response:
    """A response, as the network would bring it."""
    response = requests.Response()
    response.request, response.url, response.status_code = request, request.url or "", status
    response.headers.update(headers or {})
    response.raw = HTTPResponse(BytesIO(json.dumps(document).encode()), preload_content=False)
    return response
