"""Whatever goes missing between the table and Klaviyo, what is owed is sent in the end (R17, R19)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loyalty.contracts.deliveries import OwedEvent
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.entry import DeliveryState, Entry
from loyalty.ports import QueueMessage, Receipt
from loyalty.services import requeue_owed
from loyalty.services.posting import Ledger
from tests.builders import a_command
from tests.connection_world import CANDLES, Office
from tests.fakes.clocks import SeededRandomness


class Shop:
    """A connected program, its queue, and what can happen to that."""

    def __init__(self) -> None:
        self.office = Office()
        self.office.connects()
        self.office.synced()
        self.ledger = Ledger(self.office.ledger, self.office.clock, SeededRandomness())

    def earns(self, number: int) -> list[Entry]:
        """Entries whose events are owed; nothing is queued, as if the stream's batch had been dropped."""
        return [self._earns(f"m{each}@klaviyo-demo.com") for each in range(number)]

    def queued(self, entries: list[Entry]) -> None:
        """What the relay does."""
        owed = [OwedEvent(program=e.program, member_id=e.member_id, seq=e.seq) for e in entries]
        self.office.events.send([QueueMessage(each.model_dump_json(), group=each.program) for each in owed])

    def passes(self, **time: float) -> int:
        """Time, and with it the upkeep's turns; how many events they queued again."""
        end = self.office.clock.now() + timedelta(**time)
        queued = 0
        while self.office.clock.now() < end:
            self.office.clock.sleep(900)
            until = self.office.clock.now() + timedelta(minutes=4)
            queued += sum(work.requeued for work in self.office.upkeep(until=until))
        return queued

    def drains(self) -> None:
        """The worker gets all that is queued."""
        owed = [OwedEvent.model_validate_json(message.body) for message in self.office.events.messages]
        self.office.events.messages.clear()
        self.office.deliver_events(owed, until=self.office.clock.now() + timedelta(minutes=1))

    def states(self, entries: list[Entry]) -> set[DeliveryState]:
        found = self.office.ledger.entries(CANDLES, [(entry.member_id, entry.seq) for entry in entries])
        return {entry.delivery.state for entry in found}

    def told(self) -> list[str]:
        return sorted(unique_id for unique_id, _, _ in self.office.account.events())

    def _earns(self, email: str) -> Entry:
        command = a_command(Adjust(5), at=self.office.clock.now(), event_type="points_adjusted_up")
        program = self.office.programs.programs[CANDLES]
        receipt = self.ledger.post(program, Address("email", email), command, newcomer=True)
        assert isinstance(receipt, Receipt)
        entry = self.office.ledger.entry(CANDLES, receipt.member_id, receipt.seq)
        assert entry is not None
        return entry


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_dropped_batch_of_the_stream_is_made_up_for(shop: Shop) -> None:
    entries = shop.earns(5)
    shop.passes(hours=3)
    shop.drains()
    assert shop.told() == sorted(entry.id for entry in entries)
    assert shop.states(entries) == {DeliveryState.SENT}


def test_a_purged_queue_is_made_up_for(shop: Shop) -> None:
    entries = shop.earns(5)
    shop.queued(entries)
    shop.office.events.messages.clear()
    shop.passes(hours=3)
    shop.drains()
    assert shop.told() == sorted(entry.id for entry in entries)


def test_dead_letters_that_expired_are_made_up_for(shop: Shop) -> None:
    """Four weeks on: two in the queue and two among the dead letters is as long as a message lives."""
    entries = shop.earns(5)
    shop.queued(entries)
    shop.office.account.goes_wrong(kind="status", status=503, operation="bulk_create_events", times=None)
    shop.drains()
    shop.office.clock.sleep(28 * 86_400)
    shop.office.account.fake.services.faults.clear()
    shop.passes(hours=2)
    shop.drains()
    assert shop.told() == sorted(entry.id for entry in entries)


def test_an_outage_longer_than_a_queue_keeps_messages_loses_nothing(shop: Shop) -> None:
    """Klaviyo takes nothing for three weeks, events keep happening, and messages older than two weeks are gone."""
    shop.office.account.goes_wrong(kind="status", status=503, operation="bulk_create_events", times=None)
    entries: list[Entry] = []
    for week in range(3):
        entries += [shop._earns(f"week{week}-{each}@klaviyo-demo.com") for each in range(3)]
        shop.drains()
        shop.office.clock.sleep(7 * 86_400)
    shop.office.account.fake.services.faults.clear()
    shop.passes(hours=2)
    shop.drains()
    assert shop.told() == sorted(entry.id for entry in entries)
    assert shop.states(entries) == {DeliveryState.SENT}


def test_through_an_outage_messages_that_are_there_are_not_multiplied(shop: Shop) -> None:
    """Twelve hours, twelve turns: once around midnight nobody asks, at all others the messages are there."""
    entries = shop.earns(5)
    shop.queued(entries)
    shop.office.clock.sleep(13 * 3600)
    assert shop.passes(hours=12) == 0
    assert len(shop.office.events.messages) == 5
    assert shop.passes(hours=12) in (5, 10)


def test_another_programs_messages_hide_a_loss_for_a_day_at_most(shop: Shop) -> None:
    entries = shop.earns(2)
    shop.office.events.send([QueueMessage("{}", group="soaps")] * 50)
    assert shop.passes(hours=26) >= 2
    bodies = [message.body for message in shop.office.events.messages if message.group == CANDLES]
    assert {OwedEvent.model_validate_json(body).member_id for body in bodies} == {e.member_id for e in entries}


def test_what_one_run_has_no_time_for_the_next_one_goes_on_with(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of an hour later, and not an hour."""
    monkeypatch.setattr(requeue_owed, "PAGE", 2)
    shop.earns(6)
    shop.office.clock.sleep(2 * 3600)
    queue, real = shop.office.events, shop.office.events.send

    def slowly(messages: list[QueueMessage]) -> None:
        shop.office.clock.sleep(70)
        real(messages)

    monkeypatch.setattr(queue, "send", slowly)
    (work,) = shop.office.upkeep(until=shop.office.clock.now() + timedelta(seconds=100))
    assert 0 < work.requeued < 6
    monkeypatch.undo()
    shop.office.clock.sleep(900)
    (again,) = shop.office.upkeep(until=shop.office.clock.now() + timedelta(minutes=4))
    assert again.requeued == 6


def test_after_a_loss_of_access_everything_drains_in_the_order_of_each_journal(shop: Shop) -> None:
    """R19, R98."""
    entries = [shop._earns("sarah@klaviyo-demo.com") for _ in range(5)]
    shop.passes(hours=2)
    shop.drains()
    assert [unique_id for unique_id, _, _ in shop.office.account.events()] == [entry.id for entry in entries]
