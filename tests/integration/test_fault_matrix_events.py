"""Every kind of trouble Klaviyo can make, over HTTP: afterwards it has the journal's selected events, each once.

Nothing lost, nothing doubled, and no call above the published windows. When we wait, both sides' clocks are moved, so
that windows and waits are those of Klaviyo and no test sleeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.fake_klaviyo.clock import RunningClock
from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.faults import Fault
from local.fake_klaviyo.seed import DEFAULT_ACCOUNT, DEFAULT_PRIVATE_KEY
from local.fake_klaviyo.server import FakeServer
from loyalty.adapters.klaviyo.client import Timeouts
from loyalty.adapters.klaviyo.connections import KlaviyoClients, KlaviyoConnections
from loyalty.contracts.deliveries import OwedEvent
from loyalty.domain.connection import ConnectionMode, ConnectionStatus
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.entry import DeliveryState, Entry
from loyalty.domain.oauth import REQUIRED_SCOPES, SealedTokens
from loyalty.ports import Receipt
from loyalty.services.deliver_events import DeliverEvents
from loyalty.services.posting import Ledger
from tests.builders import a_command, a_connection, a_program
from tests.fakes.clocks import SeededRandomness
from tests.fakes.klaviyo_wire import FakeAccount
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_oauth import MemoryNotes, MemorySentEvents
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_vault import MemoryVault
from tests.fault_table import HttpAccount
from tests.klaviyo_world import World

UP, OFF = "points_adjusted_up", "points_adjusted_down"
BULK = "bulk_create_events"


class Waiting:
    """The machine's clock, where waiting moves us and the fake instead of taking time."""

    def __init__(self, fake: FakeKlaviyo) -> None:
        self._fake = fake
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)
        self._fake.advance(seconds)


class Line:
    """A program, its worker, and the fake at the other end of a real connection."""

    def __init__(self, fake: FakeKlaviyo, base_url: str) -> None:
        self.fake = fake
        self.clock = Waiting(fake)
        vault = MemoryVault()
        slug = a_program().slug
        connection = a_connection(credential=vault.encrypt(slug, DEFAULT_PRIVATE_KEY))
        self.program = a_program(connection=connection, events_off=frozenset({OFF}))
        self.programs, self.store = MemoryPrograms(self.program), MemoryLedger()
        clients = KlaviyoClients(base_url, self.clock, timeouts=Timeouts(connect=1.0, read=0.4))
        keeper = FakeAccount().keeper(self.programs, vault)
        klaviyo = KlaviyoConnections(clients, keeper)
        self.deliver = DeliverEvents(self.programs, self.store, klaviyo, self.clock, MemoryNotes(), MemorySentEvents())
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())

    def earns(self, number: int) -> list[Entry]:
        """Entries of a few members; every fifth is of a type that is not selected."""
        return [self._posted(f"m{i % 7}@klaviyo-demo.com", OFF if i % 5 == 4 else UP) for i in range(number)]

    def delivers(self, entries: list[Entry], *, rounds: int = 12) -> None:
        """Hand the messages out until none comes back, each after the time it was postponed by."""
        owed = [OwedEvent(program=e.program, member_id=e.member_id, seq=e.seq) for e in entries]
        for _ in range(rounds):
            (work,) = self.deliver(owed, until=self.clock.now() + timedelta(seconds=40))
            owed = list(work.later.values())
            if not owed:
                return
            self.clock.sleep(work.retry_after or 5)
        raise AssertionError(f"{len(owed)} events were not settled")

    def selected(self, state: DeliveryState = DeliveryState.SENT) -> list[str]:
        """Ids of the journal's entries of selected types in a state."""
        entries = self.store.written.values()
        return sorted(entry.id for entry in entries if entry.event_type == UP and entry.delivery.state is state)

    def told(self) -> list[str]:
        """What Klaviyo holds."""
        return sorted(event.unique_id for event in self.fake.services.world.accounts[DEFAULT_ACCOUNT].events)

    def exceeded(self) -> list[Any]:
        return [quota for quota in self.fake.services.limiter.report() if quota["exceeded"]]

    def _posted(self, email: str, event_type: str) -> Entry:
        command = a_command(Adjust(3), at=self.clock.now(), event_type=event_type)
        receipt = self.ledger.post(self.program, Address("email", email), command, newcomer=True)
        assert isinstance(receipt, Receipt)
        entry = self.store.entry(self.program.slug, receipt.member_id, receipt.seq)
        assert entry is not None
        return entry


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(FakeKlaviyo(clock=RunningClock())) as server:
        yield server


@pytest.fixture
def line(server: FakeServer) -> Iterator[Line]:
    server.fake.reset()
    yield Line(server.fake, server.base_url)
    server.fake.services.faults.clear()


FAULTS: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 7},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "503": {"kind": "status", "status": 503},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 30},
    "time-out": {"kind": "hang", "seconds": 1},
    "reset before the request was taken": {"kind": "reset_before"},
    "reset after the request was taken": {"kind": "reset_after"},
    "malformed body": {"kind": "malformed_body"},
    "400 naming one item": {"kind": "bad_item", "index": 3},
    "400 naming nobody": {"kind": "bad_item", "index": 3, "pointer": False},
    "a lone 401": {"kind": "status", "status": 401},
    "a lone 403": {"kind": "status", "status": 403},
    "slow 202 after the time limit": {"kind": "delay", "seconds": 1},
    "slow 202 in time": {"kind": "delay", "seconds": 0.1},
}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_after_the_fault_klaviyo_has_the_selected_events_each_once(
    line: Line, fault: dict[str, Any], times: int
) -> None:
    entries = line.earns(25)
    lone = fault.get("status") in {401, 403}
    line.fake.services.faults.add(Fault(operation=BULK, times=1 if lone else times, **fault))
    line.delivers(entries)
    assert line.told() == line.selected() == sorted(entry.id for entry in entries if entry.event_type == UP)
    assert line.exceeded() == []


def test_an_access_token_that_expires_under_way_is_refreshed_once_and_nothing_is_lost() -> None:
    """R16: with OAuth a 401 asks for a new token, and the same request goes out with it."""
    with HttpAccount() as account:
        world = World(account)
        slug, now = world.candles.slug, world.clock.now()
        world.connected(
            mode=ConnectionMode.OAUTH,
            credential=world.vault.encrypt(slug, account.access_token),
            tokens=SealedTokens(world.vault.encrypt(slug, account.refresh_token), now.replace(year=2028), now),
            scopes=tuple(REQUIRED_SCOPES),
        )
        entries = [world.gets(f"m{number % 7}@klaviyo-demo.com") for number in range(25)]
        account.suffers("401 then refresh", BULK)
        world.send_until_done(entries)
        told = account.fake.services.world.accounts[DEFAULT_ACCOUNT].events
        assert sorted(event.unique_id for event in told) == sorted(entry.id for entry in entries)
        assert {world.state(entry)[0] for entry in entries} == {DeliveryState.SENT}
        calls = [call.operation for call in account.fake.services.recorder.calls()]
        assert calls.count("oauth_token") == 1
        assert account.exceeded() == []


@pytest.mark.parametrize("named", [True, False])
def test_one_event_that_klaviyo_never_takes_fails_alone(line: Line, named: bool) -> None:
    entries = line.earns(25)
    bad = entries[10]
    for operation in (BULK, "create_event"):
        match: Any = {"unique_id": bad.id}
        line.fake.services.faults.add(
            Fault(operation=operation, kind="bad_item", match=match, times=None, pointer=named)
        )
    line.delivers(entries)
    assert line.selected(DeliveryState.FAILED) == [bad.id]
    assert line.told() == line.selected()
    assert len(line.told()) == 19
    assert line.exceeded() == []


@pytest.mark.parametrize("status", [401, 403])
def test_access_that_stays_lost_pauses_and_a_reconnect_delivers_each_once(line: Line, status: Any) -> None:
    """R16, R17, R19: 401 for a revoked key, 403 for a missing scope."""
    entries = line.earns(25)
    line.fake.services.faults.add(Fault(operation=BULK, kind="status", status=status, times=None))
    line.delivers(entries)
    assert line.told() == []
    stored = line.programs.programs[line.program.slug].connection
    assert stored is not None
    assert not stored.is_sending
    calls = len(line.fake.services.recorder.calls())
    line.delivers(entries)
    assert len(line.fake.services.recorder.calls()) == calls
    line.fake.services.faults.clear()
    line.programs.programs[line.program.slug] = line.program
    assert line.program.connection is not None
    assert line.program.connection.status is ConnectionStatus.CONNECTED
    line.delivers(entries)
    assert line.told() == line.selected()
    assert len(line.told()) == 20
