"""What connecting to Klaviyo, and staying connected, needs from the outside world, beside what ``ports`` has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from loyalty.domain.connection import Connection
    from loyalty.domain.errors import LoyaltyError
    from loyalty.domain.identity import ProgramSlug
    from loyalty.domain.klaviyo_errors import KlaviyoForbidden, KlaviyoUnauthorized
    from loyalty.domain.oauth import Attempt, Ticket, Tokens
    from loyalty.domain.program import Program
    from loyalty.domain.reconciliation import Reconciliation
    from loyalty.domain.review_feeds import ReviewFeed


@dataclass(frozen=True, slots=True)
class AccountClaim:
    """The program that connected to an account last; ``version`` tells each time from the next."""

    program: ProgramSlug
    version: int


class OAuthRecords(Protocol):
    """What must be known between the steps of connecting: attempts, start tickets, whose an account is."""

    def keep_attempt(self, attempt: Attempt, until: datetime) -> None:
        """Keep an attempt until then."""

    def take_attempt(self, state: str, browser: str, now: datetime) -> Attempt:
        """Use an attempt up, whoever asks at the same time; ``state`` and ``browser`` are digests.

        Raises:
            Rejected: ``unknown_attempt``, ``attempt_expired``, ``attempt_used``, or ``another_browser``, which uses
                nothing up.
        """

    def keep_ticket(self, ticket: Ticket, until: datetime) -> None:
        """Keep a start ticket until then."""

    def ticket(self, digest: str, now: datetime) -> Ticket | None:
        """A ticket that still works."""

    def claim_of(self, account_id: str) -> AccountClaim | None:
        """Who connected to an account last; whether it still is connected, its connection says."""

    def establish(self, program: ProgramSlug, connection: Connection, seen: AccountClaim | None) -> Connection:
        """Store a connection over the version that was read, together with the claim to its account; as stored.

        Both or neither: so of two programs that connect an account at the same time one gets it (R10).

        Raises:
            Conflict: the connection, or the claim that was ``seen``, changed meanwhile.
        """


class OAuthServer(Protocol):
    """Klaviyo's side of OAuth.

    Every call raises, besides what it names itself:
        KlaviyoUnavailable: out of order or out of reach; the call may have been carried out.
        Misconfigured: our client id or secret is missing or wrong.
    """

    def authorize_url(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Where the merchant agrees."""

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Tokens for an authorization code.

        Raises:
            GrantRefused: the code is spent, late, another app's or another attempt's.
        """

    def refresh(self, refresh_token: str) -> Tokens:
        """A new access token, and perhaps a new refresh token.

        Raises:
            GrantRefused: the refresh token is not, or no longer, worth anything.
        """

    def revoke(self, refresh_token: str) -> None:
        """End a grant."""


class KlaviyoApp(Protocol):
    """Our app as it is registered with Klaviyo, and where this deployment is reached."""

    def public_url(self) -> str:
        """Root of our HTTP API as Klaviyo and browsers reach it, without a slash at its end.

        Raises:
            Misconfigured: the operator has not set the app up yet.
            Transient: it cannot be looked up now.
        """


class Credentials(Protocol):
    """The secrets that programs' connections are spoken for with.

    Every method raises KlaviyoAccessLost where access is known to be lost, KlaviyoUnavailable where a new token cannot
    be had just now, Misconfigured and Transient where a secret cannot be decrypted.
    """

    def current(self, program: Program) -> str:
        """The secret to use now."""

    def after_refusal(self, program: Program, refused: str) -> str:
        """The secret to try once more with after a 401 or 403; the same one where there is no other."""

    def given_up(self, program: Program, refused: str, error: KlaviyoUnauthorized | KlaviyoForbidden) -> LoyaltyError:
        """Draw the conclusion from a second refusal in a row; the error to raise."""


@dataclass(frozen=True, slots=True)
class LastSeen:
    """When things last went well, about a minute exactly; None for never."""

    success_at: datetime | None = None
    delivery_at: datetime | None = None


class ConnectionNotes(Protocol):
    """When Klaviyo last took something from us, and when it last delivered a review (R9).

    Noting is cheap, is done at most once a minute and program, and never fails: a note is not worth that.
    """

    def succeeded(self, program: ProgramSlug, at: datetime) -> None:
        """Klaviyo took something."""

    def delivered(self, program: ProgramSlug, at: datetime) -> None:
        """Klaviyo made an authentic delivery."""

    def last_seen(self, program: ProgramSlug) -> LastSeen:
        """What was noted."""


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Reviews as Klaviyo lists them, resource by resource; ``following`` is the cursor of the next page, if any."""

    reviews: tuple[Mapping[str, Any], ...]
    following: str


class ReviewListing(Protocol):
    """Klaviyo's listing of an account's reviews, page by page.

    Both calls raise, besides what every call of ``KlaviyoApi`` does:
        KlaviyoRefused: the cursor means nothing to Klaviyo, or not any more.
    """

    def changed_reviews(self, cursor: str) -> ReviewPage:
        """All reviews, the newest change first."""

    def reviews_created(self, since: datetime, until: datetime, cursor: str) -> ReviewPage:
        """Reviews written between two times, both included, the oldest first."""


class Reconciliations(Protocol):
    """How far programs' reviews were looked through."""

    def reconciliation(self, program: ProgramSlug) -> Reconciliation | None:
        """A program's, None before the first look."""

    def save_reconciliation(self, program: ProgramSlug, state: Reconciliation) -> Reconciliation:
        """Replace the version that was read; the first has version 0. Answers it as stored.

        Raises:
            Conflict: somebody else was faster.
        """


class ReviewFeeds(Protocol):
    """Review apps beside Klaviyo that may deliver to programs; a program is read with its own."""

    def save_feed(self, program: ProgramSlug, feed: ReviewFeed) -> ReviewFeed:
        """Replace the version that was read; the first has version 0. Answers it as stored.

        Raises:
            Conflict: somebody else changed it meanwhile.
        """


class Notices(Protocol):
    """What the merchant or operator is told by message."""

    def access_lost(self, program: Program, why: str) -> None:
        """Access to Klaviyo is lost and somebody has to reconnect (R18).

        Raises:
            Transient: the message was not taken; telling again is safe.
        """
