"""The one exception tree. Retry behaviour and HTTP answers hang on the five branches, not on leaf types.

::

    LoyaltyError
    ├── Rejected            the caller's fault; never retried; 4xx
    │   ├── Unauthenticated     401
    │   ├── Forbidden           403
    │   ├── NotFound            404
    │   ├── Invalid             400 / 422
    │   ├── StateForbids        409, what is stored stands against it
    │   ├── TooLarge            413
    │   ├── Outdated            412, it was changed by somebody else since the caller read it
    │   ├── VersionMissing      428, the caller did not say which version it read
    │   └── KeyReused           422, the idempotency key was used for another request
    ├── Conflict            somebody else changed the same member first; retried, then 503
    ├── Duplicate           the effect exists already; carries the first result, counts as success
    ├── Transient           trouble that passes (throttling, time-outs, Klaviyo's 5xx); retried, then 503
    │   └── TooManyRequests     429, the caller asks more often than it may
    └── Misconfigured       an operator must act (missing permission, unknown table); alarm
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class LoyaltyError(Exception):
    """Base of every error this product raises on purpose.

    ``code`` is stable and machine-readable; ``message`` tells the caller what to change; ``facts`` holds the
    ids and numbers needed to act on it, never personal data.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.facts: Mapping[str, Any] = facts


class Rejected(LoyaltyError):
    """The request cannot be served as it is, however often it is sent."""

    code = "rejected"


class Unauthenticated(Rejected):
    """Nobody proved who is calling: no key, a wrong key, a wrong signature."""

    code = "unauthenticated"


class Forbidden(Rejected):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(Rejected):
    """The program, member, entry or review named does not exist."""

    code = "not_found"


class Invalid(Rejected):
    """The request's form or values are wrong."""

    code = "invalid"


class TooLarge(Rejected):
    """The request's body is larger than anything that would be taken."""

    code = "body_too_large"


class Outdated(Rejected):
    """What was to be changed is not any more what the caller had read."""

    code = "version_outdated"


class VersionMissing(Rejected):
    """A change must name the version it is based on."""

    code = "version_missing"


class StateForbids(Rejected):
    """The request is fine, but not as things stand: something else has to happen first."""

    code = "state_forbids"


class KeyReused(Rejected):
    """The idempotency key belongs to an earlier request with another body."""

    code = "idempotency_key_reused"


class Conflict(LoyaltyError):
    """The member changed between reading and writing; reading again and deciding anew may succeed."""

    code = "conflict"


class Duplicate(LoyaltyError):
    """The command was carried out before; ``first`` is what it answered then."""

    code = "duplicate"

    def __init__(self, message: str, first: Any, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.first = first


class Transient(LoyaltyError):
    """Trouble that passes. ``retry_after`` is in whole seconds where the other side named a time."""

    code = "temporarily_unavailable"

    def __init__(self, message: str, *, code: str | None = None, retry_after: int | None = None, **facts: Any) -> None:
        super().__init__(message, code=code, **facts)
        self.retry_after = retry_after


class TooManyRequests(Transient):
    """The caller's own limit is reached; ``retry_after`` says when it begins anew."""

    code = "too_many_requests"


class Misconfigured(LoyaltyError):
    """The deployment or a credential is wrong; retrying does not help until an operator acts."""

    code = "misconfigured"
