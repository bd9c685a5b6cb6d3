"""API keys as they are asked for and shown (R124, R130)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from loyalty.contracts.forms import Form, Told, Words
from loyalty.domain.api_keys import REQUESTS_A_MINUTE, ApiKey, Scope
from loyalty.domain.moments import utc_text

ScopeName = Literal["balance:write", "members:read", "reviews:write", "admin"]


class KeyForm(Form):
    """A key to make."""

    name: Annotated[Words, Field(max_length=100, description="What the key is for.", examples=["Klaviyo flows"])]
    scopes: Annotated[
        list[ScopeName], Field(min_length=1, max_length=4, description="What it may do; admin is everything.")
    ]
    per_minute: Annotated[int, Field(ge=1, le=6000, description="The most requests in a minute.")] = REQUESTS_A_MINUTE


class KeyDocument(Told):
    """A key without its secret."""

    key_id: str
    prefix: Annotated[str, Field(description="How the key begins.", examples=["tk_abcdefghijklmnop_"])]
    name: str
    scopes: tuple[str, ...]
    per_minute: int
    created_at: str
    last_used_at: Annotated[str | None, Field(description="Written at most once an hour.")] = None
    revoked_at: str | None = None
    replaces: Annotated[str | None, Field(description="The key this one was rotated from.")] = None

    @classmethod
    def of(cls, key: ApiKey) -> KeyDocument:
        """What may be shown of a key."""
        return cls(
            key_id=key.key_id,
            prefix=key.prefix,
            name=key.name,
            scopes=tuple(sorted(scope.value for scope in key.scopes)),
            per_minute=key.per_minute,
            created_at=utc_text(key.created_at),
            last_used_at=utc_text(key.last_used_at) if key.last_used_at else None,
            revoked_at=utc_text(key.revoked_at) if key.revoked_at else None,
            replaces=key.replaces or None,
        )


class IssuedKeyDocument(Told):
    """A new key, the only time the whole of it is shown."""

    api_key: Annotated[str, Field(description="Send it in the header api-key; store it now.")]
    key: KeyDocument


class KeysDocument(Told):
    """A program's keys, oldest first; revoked ones for 90 days."""

    keys: tuple[KeyDocument, ...]


def scopes_of(form: KeyForm) -> frozenset[Scope]:
    """The scopes that a form asks for."""
    return frozenset(map(Scope, form.scopes))
