"""What OAuth with Klaviyo consists of: scopes, tokens, proof keys, and one merchant's attempt to connect.

Sources: "Make API calls using OAuth", "Handle your app's OAuth flow" (docs/klaviyo.md 1), RFC 7636 for the proof key.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loyalty.domain.identity import ProgramSlug

REQUIRED_SCOPES = frozenset(
    {
        "accounts:read",
        "events:read",
        "events:write",
        "flows:read",
        "flows:write",
        "lists:read",
        "lists:write",
        "metrics:read",
        "profiles:read",
        "profiles:write",
        "reviews:read",
        "segments:read",
        "segments:write",
        "templates:write",
        "webhooks:read",
        "webhooks:write",
    }
)
"""What this release asks for (R5). Bulk imports of profiles need the scopes of lists although no list is used."""

SENDING_SCOPES = frozenset({"events:write", "profiles:write"})
"""What events and profiles go out with."""

ATTEMPT_LIFE = timedelta(minutes=30)
"""How long a merchant may take to log in at Klaviyo and agree (R2)."""

TICKET_LIFE = timedelta(hours=1)
"""How long a start link works."""

REFRESH_BEFORE = timedelta(minutes=5)
"""How long before its end an access token is refreshed."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint answers; ``refresh`` is "" where it kept the old one."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """What OAuth needs besides the access token. ``forced_at`` is the last refresh that a 401 asked for."""

    refresh: bytes = field(repr=False)
    expires_at: datetime
    refreshed_at: datetime
    forced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One browser's way to Klaviyo and back; ``verifier`` is encrypted, ``browser`` the digest of its cookie."""

    state: str
    program: ProgramSlug
    browser: str
    verifier: bytes = field(repr=False)
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to start connecting a program, as a link carries it; ``digest`` is what of it is stored."""

    digest: str
    program: ProgramSlug
    issued_at: datetime


def digest(secret: str) -> str:
    """What is stored of a state, cookie or ticket: whoever reads the table cannot use it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def scope_text(scopes: Iterable[str]) -> str:
    """Scopes as the authorize URL takes them."""
    return " ".join(sorted(scopes))
