"""A program, the fake Klaviyo and everything that connects them, with the merchant's browser in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.fake_klaviyo.exchange import Request
from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, Seed, SeedAccount, SeedKey
from loyalty.domain.connection import Connection, FirstSync
from loyalty.domain.identity import ProgramSlug
from loyalty.services.authorize_program import AuthorizeProgram
from loyalty.services.connect_account import ConnectByKey, Connected, EstablishConnection
from loyalty.services.connection_health import ConnectionHealth
from loyalty.services.deliver_events import DeliverEvents
from loyalty.services.deliver_profiles import DeliverProfiles
from loyalty.services.disconnect_account import DisconnectAccount
from loyalty.services.import_in_bulk import ImportInBulk
from loyalty.services.look_after_connections import LookAfterConnections
from loyalty.services.reconcile_reviews import ReconcileReviews
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.review_webhook_registration import RegisterReviewWebhook
from loyalty.services.wake_syncs import WakeSyncs
from tests.builders import a_program
from tests.fakes.clocks import SeededRandomness
from tests.fakes.klaviyo_wire import BASE_URL, FakeAccount
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_oauth import MemoryNotes, MemoryOAuthRecords, MemoryReconciliations, MemorySentEvents
from tests.fakes.memory_profiles import MemoryFullSyncs, MemoryMarks, MemoryProfileJobs
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue
from tests.fakes.memory_vault import MemoryVault

CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")


@dataclass
class Browser:
    """As much of a browser as connecting needs: it follows the redirect to Klaviyo and keeps the cookie."""

    world: Office
    cookie: str = ""
    authorize_url: str = field(default="", repr=False)

    def opens(self, start_link: str) -> dict[str, str]:
        """Open a start link and agree at Klaviyo; the query that Klaviyo sends the browser back with."""
        departure = self.world.authorize.depart(query_of(start_link)["ticket"])
        self.cookie, self.authorize_url = departure.cookie, departure.url
        return self.world.asks_klaviyo(departure.url)

    def returns(self, query: dict[str, str]) -> Connected:
        """Come back from Klaviyo."""
        return self.world.authorize.arrive(query, self.cookie)


class Office:
    """Two programs that are not connected, ``candles`` and ``soaps``, and Klaviyo accounts to connect them to."""

    def __init__(self, connection: Connection | None = None, **account: object) -> None:
        keys = [SeedKey(key=DEFAULT_PRIVATE_KEY), SeedKey(key="pk_other")]
        first = SeedAccount.model_validate({"id": "AbC123", "private_keys": keys, **account})
        self.account = FakeAccount(Seed(accounts=[first, SeedAccount(id="XyZ789")]))
        self.clock = self.account.clock
        self.vault = MemoryVault()
        self.programs = MemoryPrograms(
            a_program(connection=connection), a_program(slug=SOAPS, name="Soaps", connection=None)
        )
        self.records = MemoryOAuthRecords(self.programs)
        self.keeper = self.account.keeper(self.programs, self.vault)
        self.klaviyo = self.account.connections(self.programs, self.vault)
        randomness = SeededRandomness()
        self.register = RegisterReviewWebhook(self.vault, randomness)
        establish = EstablishConnection(self.programs, self.records, self.klaviyo, self.register, self.clock)
        self.by_key = ConnectByKey(establish, self.vault, self.clock)
        self.authorize = AuthorizeProgram(
            establish, self.account.oauth, self.account.app, self.vault, self.clock, randomness
        )
        self.disconnect = DisconnectAccount(self.programs, self.klaviyo, self.account.oauth, self.vault, self.clock)
        self.ledger = MemoryLedger()
        self.events, self.profiles = MemoryQueue(), MemoryQueue()
        self.requeue = RequeueOwed(self.ledger, self.events, self.profiles, self.clock)
        self.tasks, self.jobs = MemoryQueue(), MemoryProfileJobs()
        self.wake = WakeSyncs(self.jobs, MemoryFullSyncs(self.jobs), self.tasks, self.clock)
        self.reviews, self.reconciliations = MemoryQueue(), MemoryReconciliations()
        self.upkeep = LookAfterConnections(
            self.programs,
            self.klaviyo,
            self.keeper,
            self.register,
            self.requeue,
            self.wake,
            self.account.app,
            self.clock,
            ReconcileReviews(self.reconciliations, self.reviews, self.clock),
        )
        self.notes, self.sent = MemoryNotes(), MemorySentEvents()
        self.health = ConnectionHealth(self.ledger, self.notes, self.sent, self.reconciliations)
        self.deliver_events = DeliverEvents(self.programs, self.ledger, self.klaviyo, self.clock, self.notes, self.sent)
        self.deliver_profiles = DeliverProfiles(
            programs=self.programs,
            outbox=self.ledger,
            marks=MemoryMarks(self.ledger),
            syncs=MemoryFullSyncs(self.jobs),
            klaviyo=self.klaviyo,
            import_in_bulk=ImportInBulk(self.jobs, self.tasks, self.clock, randomness),
            queue=self.profiles,
            clock=self.clock,
            notes=self.notes,
        )

    def connects(self, slug: ProgramSlug = CANDLES) -> Connected:
        """Connect a program by OAuth, from the start link to the way back; the fake's limits are waited out."""
        browser = Browser(self)
        connected = browser.returns(browser.opens(self.authorize.start_link(slug)))
        self.clock.sleep(2)
        return connected

    def synced(self, slug: ProgramSlug = CANDLES) -> None:
        """Count the first sync as done."""
        self.changes(slug, first_sync=FirstSync.DONE)

    def changes(self, slug: ProgramSlug = CANDLES, **changes: Any) -> None:
        """Change the stored connection."""
        self.programs.save_connection(slug, replace(self.connection(slug), **changes))

    def connection(self, slug: ProgramSlug = CANDLES) -> Connection:
        """The stored connection, which there must be."""
        connection = self.programs.programs[slug].connection
        assert connection is not None
        return connection

    def asks_klaviyo(self, url: str) -> dict[str, str]:
        """The query with which Klaviyo redirects from its authorize page."""
        split = urlsplit(url)
        answer = self.account.fake.handle(Request("GET", split.path, tuple(parse_qsl(split.query)), {}, b"", BASE_URL))
        assert answer.status == 302, answer.body
        return query_of(answer.headers["Location"])

    def meanwhile(self, operation: str, happens: Callable[[], object]) -> None:
        """Have something happen once, after an operation has ended and before the next request is sent."""
        waiting = [happens]

        def before() -> None:
            calls = self.account.fake.services.recorder.calls()
            if waiting and calls and calls[-1].operation == operation:
                waiting.pop()()

        self.account.wire.before = before

    def webhooks(self, account: str = "AbC123") -> list[str]:
        """Ids of the account's webhooks."""
        return list(self.account.fake.services.world.accounts[account].webhooks)

    def grants(self, account: str = "AbC123") -> int:
        """How many grants of the account are alive."""
        installs = self.account.fake.services.oauth.installs
        return sum(install.account == account and install.refresh_token is not None for install in installs)

    def calls(self) -> int:
        """How many calls Klaviyo has seen, of any kind."""
        return len(self.account.fake.services.recorder.calls())


def query_of(url: str) -> dict[str, str]:
    """A URL's query."""
    return dict(parse_qsl(urlsplit(url).query))
