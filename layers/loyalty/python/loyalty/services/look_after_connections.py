"""Look after connections, one after the other, each about once an hour.

A token that nobody uses for 90 days dies, so it is refreshed weekly. Klaviyo disables a webhook that failed for two
days, so it is enabled again, and registered where Reviews was switched on later (R22, R117). Reviews that never reached
us are found, and what became of the others (R118). What has been owed for long is queued again, in case its message got
lost. Asking Klaviyo at all shows whether access still exists (R16).

Klaviyo takes one set-up call a second and fifteen a minute; that is why programs take turns. Whose turn it is stands
in the table, and taking a turn is a conditional write, so that two runs never look after the same program.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.connection_ports import KlaviyoApp
from loyalty.domain.connection import Connection, ConnectionMode
from loyalty.domain.errors import Conflict, LoyaltyError
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost
from loyalty.domain.program import Program
from loyalty.ports import Clock, Klaviyo, KlaviyoApi, ProgramStore
from loyalty.services.keep_tokens import TokenKeeper
from loyalty.services.reconcile_reviews import ReconcileReviews
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.review_webhook_registration import RegisterReviewWebhook, Registration
from loyalty.services.wake_syncs import WakeSyncs

EVERY = timedelta(hours=1)
"""How often a connection has its turn."""

KEPT_ALIVE_EVERY = timedelta(days=7)
UNTOLD_LONG = timedelta(minutes=10)
"""After this time a notification of lost access that is not noted as sent is taken for lost itself."""

PAGE = 25
WRITES = 5


@dataclass(slots=True)
class LookedAfter:
    """What became of one connection; ``trouble`` is why not everything was done."""

    program: ProgramSlug
    kept_alive: bool = False
    webhook_enabled_again: bool = False
    webhook_registered: bool = False
    reviews_found: int = 0
    requeued: int = 0
    woken: int = 0
    lost: bool = False
    trouble: Exception | None = None

    @property
    def message(self) -> str:
        """What happened."""
        return "connection looked after" if self.trouble is None else "connection not looked after"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "TokensKeptAlive": int(self.kept_alive),
            "WebhooksEnabledAgain": int(self.webhook_enabled_again),
            "WebhooksRegistered": int(self.webhook_registered),
            "ReviewsFound": self.reviews_found,
            "EventsRequeued": self.requeued,
            "SyncsWokenUp": self.woken,
            "ConnectionsWithoutAccess": int(self.lost),
        }

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program}


@dataclass(frozen=True, slots=True)
class LookAfterConnections:
    """The upkeep of all connections."""

    programs: ProgramStore
    klaviyo: Klaviyo
    keeper: TokenKeeper
    register: RegisterReviewWebhook
    requeue: RequeueOwed
    wake: WakeSyncs
    app: KlaviyoApp
    clock: Clock
    reconcile: ReconcileReviews

    def __call__(self, *, until: datetime) -> list[LookedAfter]:
        """Give every connection its turn whose time has come, as far as the time allows.

        Whatever goes wrong with one program, the others are looked after.
        """
        done: list[LookedAfter] = []
        while self.clock.now() < until:
            due = self.programs.connections_due(self.clock.now(), limit=PAGE)
            fresh = [slug for slug in due if slug not in {work.program for work in done}]
            if not fresh:
                break
            for slug in fresh:
                if self.clock.now() >= until:
                    break
                work = LookedAfter(slug)
                done.append(work)
                try:
                    self._look_after(work, until)
                except Exception as trouble:  # noqa: BLE001 - told in the report; must not touch other programs
                    work.trouble = trouble
        return done

    def _look_after(self, work: LookedAfter, until: datetime) -> None:
        program = self._turn(work.program)
        if program is None or program.connection is None:
            return
        now, connection = self.clock.now(), program.connection
        if connection.loss and now - connection.loss.since > UNTOLD_LONG:
            self._tell(work, program)
        if not connection.is_usable:
            work.lost = True
            return
        try:
            self._ask_klaviyo(work, program, connection, now, until)
        except KlaviyoAccessLost:
            work.lost = True
            return
        if connection.can_send:
            work.woken = self.wake(program.slug)
        if connection.is_sending:
            found = self.requeue.what_got_lost(program.slug, until=until)
            work.requeued = found.events
            if not found.finished:
                self._soon_again(program)

    def _tell(self, work: LookedAfter, program: Program) -> None:
        """Send a notification that has not gone out; trouble with it leaves the rest of the turn as it is."""
        try:
            self.keeper.notify(program)
        except LoyaltyError as trouble:
            work.trouble = trouble

    def _ask_klaviyo(
        self, work: LookedAfter, program: Program, connection: Connection, now: datetime, until: datetime
    ) -> None:
        tokens = connection.tokens
        if tokens is not None and now - tokens.refreshed_at >= KEPT_ALIVE_EVERY:
            self.keeper.keep_alive(program)
            work.kept_alive = True
            program = self._newest(program)
        if program.connection is None:
            return
        api = self.klaviyo.open(program)
        if connection.mode is ConnectionMode.API_KEY:
            api.account_id()
            self._look_through_reviews(work, program, api, until)
            return
        url = f"{self.app.public_url()}/webhooks/klaviyo/{program.slug}"
        found = self.register(api, program.slug, url, program.connection.webhooks)
        work.webhook_enabled_again, work.webhook_registered = found.enabled_again, bool(found.created)
        self._note(program, found)
        if found.detected:
            self._look_through_reviews(work, program, api, until)

    def _look_through_reviews(self, work: LookedAfter, program: Program, api: KlaviyoApi, until: datetime) -> None:
        """Find what no webhook told; trouble with it leaves the rest of the turn as it is."""
        try:
            done = self.reconcile(program, api, until=until)
        except KlaviyoAccessLost:
            raise
        except LoyaltyError as trouble:
            work.trouble = trouble
            return
        work.reviews_found = done.reported
        if not done.finished:
            self._soon_again(program)

    def _note(self, program: Program, found: Registration) -> None:
        """Keep what was found, unless the connection was given up meanwhile."""
        for _ in range(WRITES):
            connection = program.connection
            if connection is None or not connection.is_owed:
                return
            changed = replace(
                connection,
                reviews_detected=found.detected,
                webhooks=found.webhooks,
                webhooks_allowed=found.allowed,
                webhook_problem=found.problem,
                detected_at=self.clock.now(),
            )
            try:
                self.programs.save_connection(program.slug, changed)
            except Conflict:
                program = self._newest(program)
            else:
                return

    def _turn(self, slug: ProgramSlug) -> Program | None:
        """Take a program's turn; None when there is none to take, or another run was faster."""
        program = self.programs.load(slug)
        connection = program.connection if program else None
        now = self.clock.now()
        if program is None or connection is None or connection.upkeep_at is None or connection.upkeep_at > now:
            return None
        try:
            stored = self.programs.save_connection(slug, replace(connection, upkeep_at=now + EVERY))
        except Conflict:
            return None
        return replace(program, connection=stored)

    def _soon_again(self, program: Program) -> None:
        """Have the next run go on with what this one had no time for."""
        connection = self._newest(program).connection
        if connection is not None and connection.is_owed:
            with suppress(Conflict):
                self.programs.save_connection(program.slug, replace(connection, upkeep_at=self.clock.now()))

    def _newest(self, program: Program) -> Program:
        return self.programs.load(program.slug) or program
