"""A program's link to one Klaviyo account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ConnectionStatus(StrEnum):
    """The life of a connection (R8, R9, R16)."""

    CONNECTED = "connected"
    RECONNECT_REQUIRED = "reconnect_required"
    ACCESS_LOST = "access_lost"
    DISCONNECTED = "disconnected"


class ConnectionMode(StrEnum):
    """How we identify ourselves to Klaviyo (R11)."""

    OAUTH = "oauth"
    API_KEY = "api_key"


class FirstSync(StrEnum):
    """Whether the merchant's first full sync has run; before that nothing live is sent (R27, R30)."""

    NOT_STARTED = "not_started"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook registered with Klaviyo. ``secrets`` are encrypted; more than one is live while one is rotated."""

    id: str
    topics: tuple[str, ...]
    secrets: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """The stored connection. ``credential`` is the access token or private key, encrypted for this program."""

    mode: ConnectionMode
    status: ConnectionStatus
    account_id: str
    credential: bytes = field(repr=False)
    connected_at: datetime
    first_sync: FirstSync = FirstSync.NOT_STARTED
    reviews_detected: bool = False
    webhooks: tuple[Webhook, ...] = ()

    @property
    def is_owed(self) -> bool:
        """True while Klaviyo is to hear of changes, now or once access is back (R17, R19)."""
        return self.status is not ConnectionStatus.DISCONNECTED

    @property
    def is_sending(self) -> bool:
        """True while live changes may be sent."""
        return self.status is ConnectionStatus.CONNECTED and self.first_sync is FirstSync.DONE
