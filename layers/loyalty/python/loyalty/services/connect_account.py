"""Connect a program to a Klaviyo account: what OAuth and private keys have in common, and connecting by key (R11).

The credential is proved by asking Klaviyo whose it is before anything is stored. A program has one account and an
account one program (R10). The connection is stored whole, as the last step, together with the claim to the account, and
only over what was read; when something fails before that, what was begun is taken back and the earlier state stays. A
claim counts while its program is connected, so nobody has to give one up.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from loyalty.connection_ports import AccountClaim, OAuthRecords
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, Webhook, succeeding
from loyalty.domain.errors import Conflict, Forbidden, LoyaltyError, NotFound, Rejected, StateForbids
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoForbidden, KlaviyoUnauthorized
from loyalty.domain.program import Program
from loyalty.ports import Clock, Klaviyo, KlaviyoApi, ProgramStore, Vault
from loyalty.services.review_webhook_registration import RegisterReviewWebhook, Registration

TRIES = 5
"""How often storing is tried when the connection changes meanwhile."""


@dataclass(frozen=True, slots=True)
class Connected:
    """What a connect led to."""

    program: ProgramSlug
    connection: Connection

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
        return {"program": self.program, "account_id": self.connection.account_id}


@dataclass(frozen=True, slots=True)
class EstablishConnection:
    """Turns a proved credential into a program's connection."""

    programs: ProgramStore
    records: OAuthRecords
    klaviyo: Klaviyo
    register: RegisterReviewWebhook
    clock: Clock

    def __call__(self, slug: ProgramSlug, attempt: Connection, secret: str, webhook_url: str) -> Connected:
        """Connect a program, or connect it again: with a new grant, or after Reviews was switched on (R117).

        Raises:
            NotFound: there is no such program.
            Forbidden: ``klaviyo_not_included`` (R24).
            StateForbids: ``another_account_connected``, ``account_of_another_program``, ``connected_by_oauth``.
            Rejected: ``key_not_accepted``, ``key_lacks_scope``.
            Transient: Klaviyo or storage is out of reach; trying again is safe.
        """
        program = self._program(slug)
        require_inclusion(program)
        api = self.klaviyo.holding(slug, attempt.mode, secret)
        attempt = replace(attempt, account_id=_account_of(api), upkeep_at=self.clock.now())
        _refuse_unfitting(program, attempt)
        self._claimable(attempt.account_id, slug)
        registration = Registration(detected=False, allowed=False, webhooks=())
        try:
            if attempt.mode is ConnectionMode.OAUTH:
                registration = self.register(api, slug, webhook_url, _webhooks_of(program, attempt))
            return Connected(slug, self._store(program, attempt, registration))
        except Exception:
            _take_back(api, registration.created)
            raise

    def _store(self, program: Program, attempt: Connection, found: Registration) -> Connection:
        for _ in range(TRIES):
            before = program.connection
            connection = succeeding(before, attempt)
            if attempt.mode is ConnectionMode.OAUTH:
                connection = replace(
                    connection,
                    reviews_detected=found.detected,
                    webhooks=found.webhooks,
                    webhooks_allowed=found.allowed,
                    webhook_problem=found.problem,
                    detected_at=self.clock.now(),
                )
            elif before is not None and before.is_owed:
                connection = replace(connection, webhooks=before.webhooks, reviews_detected=before.reviews_detected)
            try:
                return self.records.establish(
                    program.slug, connection, self._claimable(attempt.account_id, program.slug)
                )
            except Conflict:
                program = self._program(program.slug)
                _refuse_unfitting(program, attempt)
        raise Conflict("The connection keeps changing.", code="connection_changed")

    def _claimable(self, account_id: str, slug: ProgramSlug) -> AccountClaim | None:
        """The claim to an account that the program may claim.

        Raises:
            StateForbids: ``account_of_another_program``.
        """
        claim = self.records.claim_of(account_id)
        if claim is not None and claim.program != slug:
            theirs = self.programs.load(claim.program)
            connection = theirs.connection if theirs else None
            if connection and connection.is_owed and connection.account_id == account_id:
                raise StateForbids(
                    "This Klaviyo account is connected to another program; disconnect it there first.",
                    code="account_of_another_program",
                )
        return claim

    def _program(self, slug: ProgramSlug) -> Program:
        program = self.programs.load(slug)
        if program is None:
            raise NotFound("There is no such program.", code="unknown_program", program=slug)
        return program


@dataclass(frozen=True, slots=True)
class ConnectByKey:
    """Connects programs by private key: profiles and events work, what needs OAuth does not (R11, R14, R15)."""

    establish: EstablishConnection
    vault: Vault
    clock: Clock

    def __call__(self, slug: ProgramSlug, api_key: str) -> Connected:
        """Connect a program by private key.

        Raises:
            As ``EstablishConnection``.
        """
        api_key = api_key.strip()
        attempt = Connection(
            mode=ConnectionMode.API_KEY,
            status=ConnectionStatus.CONNECTED,
            account_id="",
            credential=self.vault.encrypt(slug, api_key),
            connected_at=self.clock.now(),
            webhooks_allowed=False,
        )
        return self.establish(slug, attempt, api_key, "")


def require_inclusion(program: Program) -> None:
    """Let only those programs connect whose operator has Klaviyo in the offer; self-hosted, all of them (R24).

    Raises:
        Forbidden: ``klaviyo_not_included``.
    """
    if not program.klaviyo_included:
        message = "This program's plan does not include Klaviyo; ask who runs this deployment."
        raise Forbidden(message, code="klaviyo_not_included")


def _refuse_unfitting(program: Program, attempt: Connection) -> None:
    before = program.connection
    if before is None or not before.is_owed:
        return
    if before.account_id and before.account_id != attempt.account_id:
        raise StateForbids(
            "The program is connected to another Klaviyo account; disconnect that one first.",
            code="another_account_connected",
            connected_account=before.account_id,
        )
    if before.mode is ConnectionMode.OAUTH and attempt.mode is ConnectionMode.API_KEY:
        raise StateForbids(
            "The program is connected by OAuth, and Klaviyo wants everything to go through it.",
            code="connected_by_oauth",
        )


def _webhooks_of(program: Program, attempt: Connection) -> tuple[Webhook, ...]:
    """Webhooks that may still be registered with this account, left over from a disconnect ones included."""
    before = program.connection
    return before.webhooks if before is not None and before.account_id == attempt.account_id else ()


def _take_back(api: KlaviyoApi, webhook_id: str) -> None:
    """Delete a webhook that was registered for nothing, if there is one and Klaviyo plays along."""
    if webhook_id:
        with suppress(LoyaltyError):
            api.delete_webhook(webhook_id)


def _account_of(api: KlaviyoApi) -> str:
    try:
        return api.account_id()
    except KlaviyoUnauthorized as error:
        raise Rejected("Klaviyo does not accept this credential.", code="key_not_accepted") from error
    except KlaviyoForbidden as error:
        raise Rejected("The scope accounts:read is missing.", code="key_lacks_scope") from error
