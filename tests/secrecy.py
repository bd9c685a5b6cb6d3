"""What must stay where it is: secrets, tokens, keys, addresses, words of reviews; and where else it was found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from loyalty.adapters.dynamodb.packing import unpacked_words

TOKENS = re.compile(r"eyJ[\w-]{20,}|pk_[0-9a-z]{12,}|tk_[a-z2-7]{16}_[a-z2-7]{20,}")
"""Klaviyo's tokens and private keys, and our API keys, by their form."""

ADDRESSES = re.compile(r"[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}", re.IGNORECASE)


@dataclass
class Secrecy:
    """What is secret, by what it is."""

    secrets: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def keep(self, what: str, *secrets: object) -> None:
        """Add secrets; what is too short to be told from other text is passed over."""
        self.secrets |= {secret: what for secret in secrets if isinstance(secret, str) and len(secret) >= 8}

    def keep_words(self, what: str, *texts: object) -> None:
        """Add what somebody wrote."""
        self.words |= {text: what for text in texts if isinstance(text, str) and len(text) >= 8}

    def in_text(self, text: str, *, addresses: bool = True) -> list[str]:
        """What a text gives away: never the secret itself, only what it is."""
        known = {**self.secrets, **self.words}
        # JSON and HTML write some letters in another way.
        plain = text.replace("\\/", "/")
        found = {what for secret, what in known.items() if secret in plain}
        found |= {"a token or key"} if TOKENS.search(plain) else set()
        found |= {"an address"} if addresses and ADDRESSES.search(plain) else set()
        return sorted(found)

    def in_item(self, item: Mapping[str, Any]) -> list[str]:
        """What an item of the table gives away; addresses are what a member is known by."""
        return self.in_text("\n".join(_texts(item)), addresses=item.get("type") not in HOLDS_ADDRESSES)


HOLDS_ADDRESSES = frozenset({"member", "entry", "settings"})
"""Items that say who somebody is: members, changes of their profiles, and the staff whom a rule leaves out."""


def _texts(value: object) -> Iterator[str]:
    """Everything in an item that can be read, packed words among it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
        try:
            words = unpacked_words(value)
        except ValueError:
            return
        yield json.dumps({"reason": words.reason, "details": dict(words.details)}, ensure_ascii=False)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield str(name)
            yield from _texts(part)
    elif isinstance(value, Iterable):
        for part in value:
            yield from _texts(part)
