"""A program's link to one Klaviyo account, and every change it can go through.

::

    not_connected ──connect──> connected ──access refused──> access_lost ──connect──> connected
                                  │ ^                            │
                                  │ └──────── connect ───────────┼────┐
                                  └──────── disconnect ──────────┴─> disconnected

``reconnect_required`` is a connected program whose grant lacks scopes that this release needs (R6): it is computed, so
that a release with new scopes needs no migration. It is stored only when Klaviyo itself refused a send for it.
Changes are functions from one connection to the next; the store lets each through only if nobody was faster.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from loyalty.domain.oauth import REQUIRED_SCOPES, SENDING_SCOPES, SealedTokens


class ConnectionStatus(StrEnum):
    """The life of a connection (R8, R9, R16)."""

    NOT_CONNECTED = "not_connected"
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
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Loss:
    """An episode without access: since when, why, and when its one notification went out (R18)."""

    since: datetime
    why: str
    notified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """The stored connection.

    ``credential`` is the access token or private key, encrypted for this program. ``tokens`` holds what else OAuth
    needs. ``version`` counts changes of the stored connection, 0 before the first; ``leased_until`` is when another
    worker may try a refresh that one has begun. ``detected_at`` is when the account's topics were last looked at
    (R118), ``upkeep_at`` when the connection is to be looked after next.
    """

    mode: ConnectionMode
    status: ConnectionStatus
    account_id: str
    credential: bytes = field(repr=False)
    connected_at: datetime
    first_sync: FirstSync = FirstSync.NOT_STARTED
    reviews_detected: bool = False
    webhooks: tuple[Webhook, ...] = ()
    version: int = 0
    tokens: SealedTokens | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    granted_at: datetime | None = None
    leased_until: datetime | None = None
    loss: Loss | None = None
    webhooks_allowed: bool = True
    webhook_problem: str = ""
    detected_at: datetime | None = None
    upkeep_at: datetime | None = None

    @property
    def missing_scopes(self) -> tuple[str, ...]:
        """Scopes that this release needs and the grant lacks, sorted; a private key's scopes are not known."""
        if self.mode is ConnectionMode.API_KEY or self.status is ConnectionStatus.DISCONNECTED:
            return ()
        return tuple(sorted(REQUIRED_SCOPES - set(self.scopes)))

    @property
    def state(self) -> ConnectionStatus:
        """The status a merchant is told, with missing scopes taken into account (R6, R9)."""
        if self.status is ConnectionStatus.CONNECTED and self.missing_scopes:
            return ConnectionStatus.RECONNECT_REQUIRED
        return self.status

    @property
    def is_owed(self) -> bool:
        """True while Klaviyo is to hear of changes, now or once access is back (R17, R19)."""
        return self.status is not ConnectionStatus.DISCONNECTED

    @property
    def is_usable(self) -> bool:
        """True while the credential may be tried at all."""
        return self.status in {ConnectionStatus.CONNECTED, ConnectionStatus.RECONNECT_REQUIRED}

    @property
    def is_sending(self) -> bool:
        """True while live changes of everybody may be sent (R27)."""
        return self.can_send and self.first_sync is FirstSync.DONE

    @property
    def can_send(self) -> bool:
        """True while the credential is fit to send; scopes that sending does not need do not stop it."""
        if self.status is not ConnectionStatus.CONNECTED:
            return False
        return self.mode is ConnectionMode.API_KEY or set(self.scopes) >= SENDING_SCOPES

    @property
    def needs_upgrade(self) -> bool:
        """True where a private key stands between the merchant and what needs OAuth (R12, R14, R15)."""
        return self.mode is ConnectionMode.API_KEY and self.is_owed


def succeeding(before: Connection | None, attempt: Connection) -> Connection:
    """The connection after a successful connect: what an earlier one to the same account achieved goes on (R7, R13).

    After a disconnect everything begins anew: Klaviyo was told nothing meanwhile, and reviews of that time earn
    nothing (R112).
    """
    if before is None:
        return attempt
    attempt = replace(attempt, version=before.version)
    if before.account_id != attempt.account_id or not before.is_owed:
        return attempt
    return replace(attempt, connected_at=before.connected_at, first_sync=before.first_sync)


def losing(connection: Connection, status: ConnectionStatus, why: str, now: datetime) -> Connection:
    """The connection after Klaviyo refused its credential: paused, everything else as it was (R16, R17)."""
    return replace(connection, status=status, loss=Loss(now, why), leased_until=None)


def leaving(connection: Connection) -> Connection:
    """The connection after a disconnect: no credential; webhooks stay named until they are known to be gone (R20)."""
    return replace(
        connection,
        status=ConnectionStatus.DISCONNECTED,
        credential=b"",
        tokens=None,
        scopes=(),
        loss=None,
        leased_until=None,
        upkeep_at=None,
    )
