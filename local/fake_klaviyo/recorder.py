"""A log of the calls that were made, without credentials."""

import itertools
import threading
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime

from local.fake_klaviyo.exchange import JsonObject

_KEPT = 100_000

KEPT_HEADERS = ("accept", "content-encoding", "content-type", "revision", "user-agent")
"""Headers worth logging; of Authorization only the scheme is kept."""


@dataclass(frozen=True)
class RecordedCall:
    """One call and its outcome."""

    number: int
    at: datetime
    method: str
    path: str
    query: str
    operation: str | None
    account: str | None
    client: str | None
    status: int
    transport: str
    fault: str | None
    items: int | None
    """Events or profiles in the body, for operations that carry several."""
    request_bytes: int
    response_bytes: int
    seconds: float
    headers: dict[str, str]

    def document(self) -> JsonObject:
        """For the inspection API."""
        return {**asdict(self), "at": self.at.isoformat()}


class Recorder:
    """The latest calls, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[RecordedCall] = deque(maxlen=_KEPT)
        self._numbers = itertools.count(1)

    def next_number(self) -> int:
        """A number for a call, in order of arrival at the log."""
        return next(self._numbers)

    def add(self, call: RecordedCall) -> None:
        """Keep one call."""
        with self._lock:
            self._calls.append(call)

    def calls(self) -> list[RecordedCall]:
        """A copy of the log."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()


def logged_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers to log: the harmless ones, and the scheme of Authorization."""
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    if "authorization" in headers:
        kept["authorization"] = f"{headers['authorization'].partition(' ')[0]} (redacted)"
    return kept
