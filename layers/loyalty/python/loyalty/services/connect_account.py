"""Connect a program to a Klaviyo account with a private API key (R11).

The key is proved by asking Klaviyo whose it is before anything is stored. Then the account's webhook topics say
whether Klaviyo Reviews is in use (R114, R118), and if so, one webhook is registered for its submissions (R102).
System webhooks are for OAuth apps and accounts with Advanced KDP; with other keys the program is connected all the
same, without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, Webhook
from loyalty.domain.errors import NotFound, Rejected
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoForbidden, KlaviyoUnauthorized
from loyalty.domain.program import Program
from loyalty.ports import Clock, Klaviyo, KlaviyoApi, ProgramStore, Randomness, Vault

REVIEW_TOPICS = ("event:klaviyo.submitted_review", "event:klaviyo.submitted_rating")
"""The topics of submissions. There is none for a review being published or rejected."""


@dataclass(frozen=True, slots=True)
class Connected:
    """What a connect led to."""

    program: ProgramSlug
    account_id: str
    reviews_detected: bool
    receives_reviews: bool

    @property
    def message(self) -> str:
        """What happened."""
        return "klaviyo connected"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {"ProgramsConnected": 1}

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program, "account_id": self.account_id}


@dataclass(frozen=True, slots=True)
class ConnectAccount:
    """Connects programs by private key."""

    programs: ProgramStore
    klaviyo: Klaviyo
    vault: Vault
    clock: Clock
    randomness: Randomness

    def __call__(self, slug: ProgramSlug, api_key: str, webhook_url: str) -> Connected:
        """Connect a program, or connect it again: with a new key, or after Reviews was switched on (R117).

        ``webhook_url`` is where Klaviyo delivers to this program. What was connected before stays as it is unless
        the new key proves to be good and of the same account; a webhook that is registered already is kept (R7), and
        so is the progress of the first sync.

        Raises:
            NotFound: there is no such program.
            Rejected: ``key_not_accepted``, ``key_lacks_scope``, or ``another_account_connected`` (R10).
            Transient: Klaviyo or storage is out of reach; trying again is safe.
        """
        program = self.programs.load(slug)
        if program is None:
            raise NotFound("There is no such program.", code="unknown_program", program=slug)
        attempt = Connection(
            mode=ConnectionMode.API_KEY,
            status=ConnectionStatus.CONNECTED,
            account_id="",
            credential=self.vault.encrypt(slug, api_key.strip()),
            connected_at=self.clock.now(),
        )
        api = self.klaviyo.open(replace(program, connection=attempt))
        attempt = _continued(program.connection, replace(attempt, account_id=_account_of(api)))
        topics = _review_topics(api)
        webhooks = attempt.webhooks
        if topics and not webhooks:
            webhooks = self._register(program, api, webhook_url, topics)
        connection = replace(attempt, reviews_detected=bool(topics), webhooks=webhooks)
        self.programs.save_connection(slug, connection)
        return Connected(slug, connection.account_id, connection.reviews_detected, bool(webhooks))

    def _register(self, program: Program, api: KlaviyoApi, url: str, topics: tuple[str, ...]) -> tuple[Webhook, ...]:
        secret = self.randomness.salt() + self.randomness.salt()
        sealed = self.vault.encrypt(program.slug, secret)
        try:
            webhook_id = api.create_webhook(name=f"Tallyhook {program.slug}", url=url, secret=secret, topics=topics)
        except KlaviyoForbidden:
            return ()
        return (Webhook(webhook_id, topics, (sealed,)),)


def _continued(before: Connection | None, attempt: Connection) -> Connection:
    """Take over what an earlier connection to the same account has achieved."""
    if before is None:
        return attempt
    if before.account_id != attempt.account_id:
        if before.is_owed:
            raise Rejected(
                "The program is connected to another Klaviyo account; disconnect that one first.",
                code="another_account_connected",
                connected_account=before.account_id,
            )
        return attempt
    if before.status is ConnectionStatus.DISCONNECTED:
        return attempt
    connected_at = before.connected_at
    return replace(attempt, connected_at=connected_at, first_sync=before.first_sync, webhooks=before.webhooks)


def _account_of(api: KlaviyoApi) -> str:
    try:
        return api.account_id()
    except KlaviyoUnauthorized as error:
        raise Rejected("Klaviyo does not accept this API key.", code="key_not_accepted") from error
    except KlaviyoForbidden as error:
        raise Rejected("This API key lacks the scope accounts:read.", code="key_lacks_scope") from error


def _review_topics(api: KlaviyoApi) -> tuple[str, ...]:
    try:
        offered = api.webhook_topics()
    except KlaviyoForbidden:
        return ()
    return tuple(topic for topic in REVIEW_TOPICS if topic in offered)
