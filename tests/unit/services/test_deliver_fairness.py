"""A noisy program beside a quiet one: ten thousand messages in one batch, full requests, and nobody waits (R35)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from benchmarks.event_delivery import EACH, CountingEvents, OwedCrowd
from benchmarks.full_sync import Opened, SimulatedClock
from loyalty.adapters.klaviyo.connections import KlaviyoClients, new_session
from loyalty.contracts.deliveries import OwedEvent
from loyalty.domain.connection import ConnectionMode
from loyalty.domain.errors import Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.entry import DeliveryState
from loyalty.domain.telling import MetricEvent
from loyalty.services.deliver_events import DeliverEvents
from tests.builders import a_connection, a_program
from tests.fakes.memory_oauth import MemoryNotes, MemorySentEvents
from tests.fakes.memory_programs import MemoryPrograms
from tests.klaviyo_world import World

NOISY, QUIET = ProgramSlug("candles"), ProgramSlug("soaps")
MANY, FEW = 10_000, 20


class Neighbours:
    """Both programs, each with an account of its own that counts what it gets."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.accounts = {slug: CountingEvents(self.clock, MANY) for slug in (NOISY, QUIET)}
        self.sent = MemorySentEvents()
        world = World()
        outbox: Any = OwedCrowd(world.gets("sarah.mason@klaviyo-demo.com", Adjust(5)))
        programs = MemoryPrograms(*(a_program(slug=slug, connection=a_connection()) for slug in (NOISY, QUIET)))
        opened: Any = self
        self.deliver = DeliverEvents(programs, outbox, opened, self.clock, MemoryNotes(), self.sent)
        self._opened = {slug: Opened(self._client(slug)) for slug in self.accounts}

    def open(self, program: Any) -> Any:
        """The client of a program's account."""
        return self._opened[program.slug].open(program)

    def _client(self, slug: ProgramSlug) -> Any:
        clients = KlaviyoClients("https://klaviyo.test", self.clock, session=new_session(self.accounts[slug]))
        return clients.holding(slug, ConnectionMode.API_KEY, "pk_key")


def owed(slug: ProgramSlug, number: int) -> list[OwedEvent]:
    return [
        OwedEvent(program=slug, member_id=MemberId(f"{each // EACH:026d}"), seq=each % EACH + 1)
        for each in range(number)
    ]


@pytest.fixture
def neighbours() -> Neighbours:
    return Neighbours()


@pytest.mark.slow
def test_ten_thousand_messages_fill_ten_requests_and_the_quiet_program_goes_first(neighbours: Neighbours) -> None:
    began = neighbours.clock.now()
    done = neighbours.deliver([*owed(NOISY, MANY), *owed(QUIET, FEW)], until=began + timedelta(seconds=40))
    assert [(work.program, work.states[DeliveryState.SENT]) for work in done] == [(QUIET, FEW), (NOISY, MANY)]
    assert [len(neighbours.accounts[slug].calls["submit"]) for slug in (NOISY, QUIET)] == [10, 1]
    (quiets,) = neighbours.accounts[QUIET].calls["submit"]
    assert quiets == began.timestamp()
    assert quiets <= min(neighbours.accounts[NOISY].calls["submit"])
    assert [account.refused for account in neighbours.accounts.values()] == [0, 0]


def test_a_program_that_used_up_its_minute_takes_nothing_from_the_others(neighbours: Neighbours) -> None:
    """Its messages are given back until the minute is over; the quiet program's are sent at the same moment."""
    until = neighbours.clock.now() + timedelta(seconds=600)
    api = neighbours.open(a_program(slug=NOISY))
    for number in range(150):
        api.send_events([MetricEvent("m@klaviyo-demo.com", str(number), "Points Added", neighbours.clock.now(), {})])
    quiet, noisy = neighbours.deliver([*owed(NOISY, 1000), *owed(QUIET, FEW)], until=until)
    assert (quiet.states[DeliveryState.SENT], quiet.trouble) == (FEW, None)
    assert isinstance(noisy.trouble, Transient)
    assert noisy.retry_after is not None
    assert 30 < noisy.retry_after <= 60
    assert len(noisy.later) == 1000
    assert neighbours.accounts[NOISY].refused == 0
