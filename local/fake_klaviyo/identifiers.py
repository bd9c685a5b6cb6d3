"""Ids in the shapes Klaviyo uses, random so that nobody relies on their order."""

import base64
import secrets
import uuid

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def ulid() -> str:
    """26 characters, as profiles and webhooks have."""
    return "01" + _random(_CROCKFORD, 24)


def short_id() -> str:
    """Six characters, as metrics, segments, flows and templates have."""
    return _random(_ALPHANUMERIC, 6)


def event_id() -> str:
    """Eleven characters, as events have."""
    return _random(_ALPHANUMERIC, 11)


def review_id() -> str:
    """32 hexadecimal digits, as reviews have."""
    return uuid.uuid4().hex


def job_id(account: str) -> str:
    """A long opaque string that hides the account in it, as bulk jobs have."""
    raw = f"{account}:maintenance:{_random(_ALPHANUMERIC, 6)}:{uuid.uuid4()}"
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")
