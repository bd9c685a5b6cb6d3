"""Keys that a merchant's systems call the API with: ``tk_<key id>_<secret>`` (R124).

The secret is 256 bits of randomness, shown once and kept as a salted digest. It cannot be guessed, so the digest needs
no slow function, and a request costs no more than one read to check.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from loyalty.domain.identity import ProgramSlug

REQUESTS_A_MINUTE = 600
"""What a key may ask in a minute unless it was made with another limit."""

OPERATOR = "operator"
"""The actor of what the operator does."""

_FORM = re.compile(r"tk_([a-z2-7]{16})_([a-z2-7]{52})")


class Scope(StrEnum):
    """What a key may do in its program; ``admin`` may do everything."""

    BALANCE_WRITE = "balance:write"
    MEMBERS_READ = "members:read"
    REVIEWS_WRITE = "reviews:write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a caller sends it, taken apart."""

    key_id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The whole key, as it is shown once."""
        return f"tk_{self.key_id}_{self.secret}"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept. ``replaces`` names the key it was rotated from; ``per_minute`` limits its requests."""

    key_id: str
    program: ProgramSlug
    name: str
    scopes: frozenset[Scope]
    salt: str = field(repr=False)
    digest: str = field(repr=False)
    created_at: datetime
    per_minute: int = REQUESTS_A_MINUTE
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    replaces: str = ""

    @property
    def prefix(self) -> str:
        """The part of the key that may be shown again (R130)."""
        return f"tk_{self.key_id}_"

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do what the scope stands for."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def is_opened_by(self, secret: str) -> bool:
        """Compare a presented secret, in the same time whatever it is."""
        return hmac.compare_digest(self.digest, secret_digest(self.salt, secret))


def presented_key(text: str) -> PresentedKey | None:
    """Take a sent key apart; None when it does not have the form of one."""
    match = _FORM.fullmatch(text)
    return PresentedKey(match[1], match[2]) if match else None


def new_key(randomness: Iterable[str]) -> PresentedKey:
    """Make a key of three fresh random texts of 128 bits each."""
    first, *rest = randomness
    return PresentedKey(_letters(first)[:16], _letters("".join(rest)))


def secret_digest(salt: str, secret: str) -> str:
    """What is kept of a secret."""
    return hmac.new(salt.encode(), secret.encode(), hashlib.sha256).hexdigest()


def _letters(randomness: str) -> str:
    """52 characters that a double click selects as one word."""
    return base64.b32encode(hashlib.sha256(randomness.encode()).digest()).decode().rstrip("=").lower()
