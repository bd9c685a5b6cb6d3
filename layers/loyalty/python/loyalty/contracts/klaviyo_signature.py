"""Klaviyo's system webhook signature (docs/klaviyo.md 5), checked on the bytes that came, before anybody parses them.

The time header is part of what is signed and is used for nothing else: Klaviyo has sent it hours off, and a retry may
come two days after the first attempt, so age proves nothing. A delivery that is repeated pays nothing twice.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class SignedDelivery:
    """A delivery as it came in: to which program, and what its headers claim."""

    slug: str
    webhook_id: str
    timestamp: str
    signature: str = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, slug: str, headers: Mapping[str, str], body: bytes) -> Self:
        """Read Klaviyo's headers, given by lower-cased name; a missing one is an empty claim."""
        return cls(
            slug=slug,
            webhook_id=headers.get("klaviyo-webhook-id", ""),
            timestamp=headers.get("klaviyo-timestamp", ""),
            signature=headers.get("klaviyo-signature", ""),
            body=body,
        )

    def is_signed_with(self, secrets: Sequence[str]) -> bool:
        """Whether one of the secrets made the signature. All are tried, so time tells nothing about which one."""
        signed = False
        for secret in secrets:
            signed |= same(signature_of(secret, self.body, self.timestamp), self.signature.lower())
        return signed

    def is_from(self, webhook_id: str) -> bool:
        """Whether the header names this webhook."""
        return same(self.webhook_id, webhook_id)


def signature_of(secret: str, body: bytes, timestamp: str) -> str:
    """Lower-case hex of HMAC-SHA256 over the body followed by the ``Klaviyo-Timestamp`` header, nothing in between."""
    return hmac.new(_bytes(secret), body + _bytes(timestamp), hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two texts, in the same time wherever they differ."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
