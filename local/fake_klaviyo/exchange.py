"""An HTTP exchange without HTTP: what a request is and what is answered, so rules run in process."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]

JSON_API = "application/vnd.api+json"


class Transport(enum.Enum):
    """What becomes of the connection after the exchange."""

    ANSWER = "answer"
    RESET = "reset"
    SILENCE = "silence"


@dataclass(frozen=True)
class Request:
    """One call as it arrived; header names are lower case, `query` keeps repeated names in order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = "http://127.0.0.1"

    def header(self, name: str) -> str:
        """The header's value, or an empty string."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class Answer:
    """What goes back: `transport` says whether anything does."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    transport: Transport = Transport.ANSWER
    seconds: float = 0.0
    """Real seconds to wait before answering, or before giving up in silence."""
