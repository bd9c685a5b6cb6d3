"""What Klaviyo can answer instead of yes, as leaves of the exception tree.

::

    Rejected
    ├── KlaviyoRefused          400, 409, 413, 422: this content will never be taken
    └── GrantRefused            OAuth: this code or refresh token is not, or no longer, worth anything
    Transient
    └── KlaviyoUnavailable      429, 5xx, time-outs, broken connections: later it may
    Misconfigured
    ├── KlaviyoAccessLost       access is known to be lost or given up; nothing may be sent until it is back
    ├── KlaviyoUnauthorized     401: the credential is not accepted
    ├── KlaviyoForbidden        403: a scope or a feature is missing
    └── KlaviyoIncompatible     any other status: Klaviyo does not know the call in this form

``facts`` hold Klaviyo's ``status``, ``klaviyo_code``, ``detail`` and ``pointer``, e-mail addresses blacked out.
"""

from __future__ import annotations

from typing import Any

from loyalty.domain.errors import Misconfigured, Rejected, Transient


class KlaviyoRefused(Rejected):
    """Klaviyo will not take what was sent.

    ``pointers`` are the places in the body that Klaviyo named. Of a bulk request ``considered`` is how many items it
    held and ``items`` are the positions of those at fault, as far as Klaviyo named them.
    """

    code = "klaviyo_refused"

    def __init__(
        self,
        message: str,
        *,
        pointers: tuple[str, ...] = (),
        considered: int = 1,
        items: tuple[int, ...] = (),
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.pointers = pointers
        self.considered = considered
        self.items = items

    @property
    def reason(self) -> str:
        """Klaviyo's own words, for the activity log."""
        return str(self.facts.get("detail") or self.message)

    def of_bulk(self, considered: int, items: tuple[int, ...]) -> KlaviyoRefused:
        """The same refusal, told of a bulk request."""
        return KlaviyoRefused(self.message, pointers=self.pointers, considered=considered, items=items, **self.facts)


class GrantRefused(Rejected):
    """The token endpoint does not take a code or refresh token (``invalid_grant`` and its kind)."""

    code = "grant_refused"


class KlaviyoUnavailable(Transient):
    """Klaviyo cannot take it now, or did not say whether it did."""

    code = "klaviyo_unavailable"

    @property
    def is_silence(self) -> bool:
        """True where no answer came that could be read, named as ``cause``: the call may have been carried out."""
        return "cause" in self.facts


class KlaviyoAccessLost(Misconfigured):
    """The merchant has to reconnect. What Klaviyo is owed stays owed; calling again is pointless (R16, R17)."""

    code = "klaviyo_access_lost"


class KlaviyoUnauthorized(Misconfigured):
    """The credential is not accepted. Once is no proof that access is lost: Klaviyo has had days of false 401s."""

    code = "klaviyo_unauthorized"


class KlaviyoForbidden(Misconfigured):
    """The credential lacks a scope, or the account lacks the feature."""

    code = "klaviyo_forbidden"


class KlaviyoIncompatible(Misconfigured):
    """Klaviyo does not know this call, or not in this form; a newer release of the product is needed."""

    code = "klaviyo_incompatible"
