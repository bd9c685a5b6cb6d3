"""Owed profiles stay owed: whatever message got lost, the upkeep brings them back (R19)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loyalty.contracts.deliveries import OwedProfiles, SyncTask
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import Adjust
from loyalty.services.posting import Ledger
from loyalty.services.run_sync import RunSync
from tests.builders import a_command
from tests.connection_world import CANDLES, Office
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_profiles import MemoryFullSyncs

SARAH = "sarah.mason@klaviyo-demo.com"


@pytest.fixture
def office() -> Office:
    """Connected and synced; a posting whose batch of the stream was dropped, so that nobody was woken."""
    office = Office()
    office.connects()
    office.synced()
    ledger = Ledger(office.ledger, office.clock, SeededRandomness())
    command = a_command(Adjust(10), at=office.clock.now())
    ledger.post(office.programs.programs[CANDLES], Address("email", SARAH), command, newcomer=True)
    return office


def has_a_turn(office: Office) -> None:
    office.clock.sleep(3700)
    (work,) = office.upkeep(until=office.clock.now() + timedelta(seconds=60))
    assert work.trouble is None


@pytest.mark.parametrize("purges", [0, 1, 3])
def test_a_profile_whose_message_got_lost_is_sent_after_all(office: Office, purges: int) -> None:
    """A dropped batch of the stream, and a queue that is purged again and again."""
    for _ in range(purges):
        has_a_turn(office)
        office.profiles.messages.clear()
    has_a_turn(office)
    tasks = [OwedProfiles.model_validate_json(message.body) for message in office.profiles.messages]
    assert [task.program for task in tasks] == [CANDLES]
    office.deliver_profiles(CANDLES, until=office.clock.now() + timedelta(seconds=40))
    assert office.account.profiles()[SARAH]["loyalty_points_balance"] == 10


def test_nobody_is_woken_where_nothing_is_owed(office: Office) -> None:
    office.deliver_profiles(CANDLES, until=office.clock.now() + timedelta(seconds=40))
    has_a_turn(office)
    assert office.profiles.messages == []


def test_a_full_sync_whose_message_got_lost_goes_on(office: Office) -> None:
    """R29."""
    syncs = MemoryFullSyncs(office.jobs)
    run = RunSync(office.programs, syncs, office.tasks, office.clock, SeededRandomness())
    run.start(office.programs.programs[CANDLES])
    office.tasks.messages.clear()
    has_a_turn(office)
    assert [SyncTask.model_validate_json(each.body) for each in office.tasks.messages] == [SyncTask(program=CANDLES)]


def test_a_reconnect_takes_up_what_waited_at_once(office: Office) -> None:
    """R19: nobody waits for the upkeep."""
    run = RunSync(office.programs, MemoryFullSyncs(office.jobs), office.tasks, office.clock, SeededRandomness())
    run.start(office.programs.programs[CANDLES])
    office.tasks.messages.clear()
    office.wake(CANDLES, idle_for=timedelta())
    assert len(office.tasks.messages) == 1
