"""A full sync against the fake Klaviyo: everybody once, nothing behind it, and whatever happens it goes on (R27-R32).

Requests and pages are small here, so that a few dozen members are many of both.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.fake_klaviyo.profile_book import ProfileBook
from loyalty.adapters.klaviyo import bulk_profiles
from loyalty.domain.connection import ConnectionStatus, FirstSync
from loyalty.domain.errors import NotFound, StateForbids, Transient
from loyalty.domain.full_sync import SyncState
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Adjust, Erase
from loyalty.domain.ledger.entry import DeliveryState
from loyalty.domain.ledger.member import Profile
from loyalty.profile_ports import Enrolled
from loyalty.services import walk_members
from tests import profile_world
from tests.fakes.memory_ledger import MemoryLedger
from tests.profile_world import ProfileWorld

NAMES = ("sarah", "bill", "mo", "ada", "kai")


PER_REQUEST, PER_PAGE = 20, 6


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> ProfileWorld:
    monkeypatch.setattr(bulk_profiles, "MAX_PROFILES", PER_REQUEST)
    monkeypatch.setattr(walk_members, "PAGE", PER_PAGE)
    world = ProfileWorld()
    world.not_synced()
    return world


def test_before_the_start_no_profile_is_written_and_afterwards_everybodys(world: ProfileWorld) -> None:
    """R27, R28, R33, R154: and every field that is filled is on every profile."""
    world.has(*NAMES)
    world.drain()
    assert world.account.profiles() == {}
    assert world.starts_sync().id
    world.lets_work()
    assert world.account.profiles() == world.newest()
    assert len(world.newest()) == 5
    assert (world.sync.state, world.sync.done, world.sync.total) == (SyncState.DONE, 5, 5)
    assert world.program.connection
    assert world.program.connection.first_sync is FirstSync.DONE
    assert world.account.calls("bulk_import_profiles") == 1
    assert world.account.calls("create_or_update_profile") == 0


def test_members_without_an_address_are_counted_and_not_sent(world: ProfileWorld) -> None:
    """R31: skipped with reason no_email; R25: the erased with theirs."""
    world.has_many(10, without_email=3)
    (erased,) = world.has("erased")
    world.gets("erased@klaviyo-demo.com", Erase())
    assert erased.seq == 1
    world.starts_sync()
    world.lets_work()
    assert world.sync.skipped == {"no_email": 3, "erased": 1}
    assert (world.sync.done, world.sync.total) == (8, 12)
    assert world.account.profiles() == world.newest()


def test_a_guest_who_gives_an_address_later_is_sent_with_the_next_change(world: ProfileWorld) -> None:
    """R32."""
    guest = world.has_many(1, without_email=1)[0]
    world.starts_sync()
    world.lets_work()
    key = (guest.program, guest.member_id)
    world.store.stored[key] = replace_profile(guest, "guest@klaviyo-demo.com")
    world.store.owed_since[key] = world.clock.now()
    world.lets_work()
    assert "guest@klaviyo-demo.com" in world.account.profiles()


def replace_profile(member: Any, email: str) -> Any:
    return replace(member, version=member.version + 1, profile=Profile(email=email))


def test_what_does_not_fit_a_request_goes_into_the_next(world: ProfileWorld) -> None:
    """R28: across pages and requests, each member once."""
    world.has_many(104)
    world.starts_sync()
    world.lets_work()
    assert world.account.calls("bulk_import_profiles") == 6
    assert (world.sync.done, world.sync.state) == (105, SyncState.DONE)
    assert world.account.profiles() == world.newest()
    assert world.account.exceeded() == []


def test_a_member_gets_live_changes_from_its_own_turn_on(world: ProfileWorld) -> None:
    """R30: a change of somebody who is not synced is not sent; once its page is done the newest value is."""
    members = sorted(world.has_many(50), key=lambda member: member.member_id)
    first, last = members[0], members[-1]
    world.starts_sync()
    world.account.goes_wrong(kind="status", operation="bulk_import_profiles", status=503, times=None)
    world.walks()
    for member in (first, last):
        world.gets(member.profile.email, Adjust(100))
    assert world.drain().counts["ProfilesSent"] == 0
    world.account.fake.services.faults.clear()
    assert world.walks(seconds=0.0).counts["SyncRunsContinued"] == 1
    sends_one_request(world)
    world.gets(first.profile.email, Adjust(100))
    assert world.drain().counts["ProfilesSent"] == 1
    assert world.account.profiles()[first.profile.email]["loyalty_points_balance"] == 205
    assert last.profile.email not in world.account.profiles()
    world.lets_work()
    assert world.account.profiles() == world.newest()


def sends_one_request(world: ProfileWorld) -> None:
    """Let the walk come as far as one request."""
    before = world.account.calls("bulk_import_profiles")
    taken = world.clock.now() + timedelta(seconds=1)
    clock = world.clock

    class OneRequest:
        def now(self) -> Any:
            return taken if world.account.calls("bulk_import_profiles") > before else clock.now()

        def sleep(self, seconds: float) -> None:
            clock.sleep(seconds)

    walk = replace(world.walk, clock=OneRequest())
    assert walk(world.candles.slug, until=taken).counts["SyncJobsSubmitted"] == 1


def test_events_wait_for_the_end_of_the_first_sync_and_go_then(world: ProfileWorld) -> None:
    """R30: an event that came before the profile would start flows on a profile that is not there."""
    entries = world.has(*NAMES)
    world.starts_sync()
    world.walks()
    world.send(*entries)
    assert [world.state(entry)[0] for entry in entries] == [DeliveryState.OWED] * 5
    world.lets_work()
    assert len(world.events.messages) == 5


def test_trouble_at_the_very_end_leaves_nothing_waiting(world: ProfileWorld) -> None:
    """R19: what waited for the first sync is queued by the next look, the job long closed."""
    world.has(*NAMES)
    world.starts_sync()
    world.walks()
    world.clock.sleep(5)
    world.events.troubles = 1
    (work,) = world.follows()
    assert isinstance(work.trouble, Transient)
    assert world.jobs.open(world.candles.slug) == []
    world.lets_work()
    assert (world.sync.state, len(world.events.messages)) == (SyncState.DONE, 7)


def test_a_worker_whose_time_ends_hands_over(world: ProfileWorld) -> None:
    """R29."""
    world.has(*NAMES)
    world.starts_sync()
    world.tasks.messages.clear()
    assert world.walks(seconds=0).counts["SyncRunsContinued"] == 1
    assert len(world.tasks.messages) == 1
    world.lets_work()
    assert world.account.profiles() == world.newest()


class Dying(MemoryLedger):
    """A store that dies at the n-th page."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def page(self, program: ProgramSlug, *, after: str, limit: int) -> tuple[list[Enrolled], str]:
        self.at -= 1
        if self.at == 0:
            raise KeyboardInterrupt
        return super().page(program, after=after, limit=limit)


@pytest.mark.parametrize("at", [1, 3, 5, 9])
def test_a_worker_that_dies_is_followed_by_the_next(world: ProfileWorld, at: int) -> None:
    """R28, R29: across restarts; the fifth page is behind the first request."""
    world.uses(Dying(at))
    world.not_synced()
    world.has_many(59)
    world.starts_sync()
    with pytest.raises(KeyboardInterrupt):
        world.walks()
    world.lets_work()
    assert (world.sync.state, world.sync.done) == (SyncState.DONE, 60)
    assert world.account.profiles() == world.newest()


@pytest.mark.parametrize("named", [True, False])
def test_a_request_that_is_divided_longer_than_a_turn_gets_through_in_smaller_ones(
    world: ProfileWorld, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """docs/klaviyo.md 4: a refusal may name one bad profile of many, or none; each turn here has time for 20 calls."""
    monkeypatch.setattr(bulk_profiles, "MAX_PROFILES", 50)
    monkeypatch.setattr(profile_world, "RUN", timedelta(seconds=1))
    bad = [member.profile.email for member in world.has_many(49)[::2]]
    for email in bad:
        fault: Any = {"kind": "bad_item", "operation": "bulk_import_profiles", "match": {"email": email}}
        world.account.goes_wrong(times=None, pointer=named, **fault)
    world.starts_sync()
    world.lets_work(hours=1)
    assert (world.sync.state, world.sync.done, world.sync.failed) == (SyncState.DONE, 25, 25)
    assert set(world.account.profiles()) == world.newest().keys() - set(bad)
    assert world.account.exceeded() == []


def test_two_workers_at_once_count_nobody_twice(world: ProfileWorld) -> None:
    """R29."""
    world.has_many(15)
    world.starts_sync()
    other = world.walk

    class Meanwhile(MemoryLedger):
        overtaken = False

        def page(self, program: ProgramSlug, *, after: str, limit: int) -> tuple[list[Enrolled], str]:
            if not self.overtaken:
                self.overtaken = True
                other(program, until=world.clock.now() + timedelta(seconds=40))
            return super().page(program, after=after, limit=limit)

    slow = Meanwhile()
    slow.__dict__.update(world.store.__dict__)
    world.uses(slow)
    world.walks()
    world.lets_work()
    assert (world.sync.state, world.sync.done, world.sync.open_jobs) == (SyncState.DONE, 16, 0)
    assert world.account.calls("bulk_import_profiles") == 2
    assert world.jobs.open(world.candles.slug) == []


def test_a_sync_can_be_cancelled_and_started_again(world: ProfileWorld) -> None:
    """R29: a first sync that is cancelled has not been."""
    world.has(*NAMES)
    first = world.starts_sync()
    assert world.run.cancel(world.candles.slug).state is SyncState.CANCELLED
    world.lets_work()
    assert world.account.profiles() == {}
    assert world.program.connection
    assert world.program.connection.first_sync is FirstSync.NOT_STARTED
    assert world.starts_sync().id != first.id
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_another_sync_holds_nothing_back(world: ProfileWorld) -> None:
    """R28: everybody again; live changes go on beside it."""
    world.has(*NAMES)
    world.starts_sync()
    world.lets_work()
    world.starts_sync()
    world.has("sarah", action=Adjust(100))
    assert world.drain().counts["ProfilesSent"] == 1
    world.lets_work()
    assert world.sync.done == 5
    assert world.account.profiles() == world.newest()


def test_starting_twice_is_starting_once(world: ProfileWorld) -> None:
    world.has(*NAMES)
    assert world.starts_sync() == world.starts_sync()
    assert len(world.tasks.messages) == 1


def test_nobody_to_tell_nothing_to_cancel_nothing_to_show(world: ProfileWorld) -> None:
    with pytest.raises(NotFound):
        world.run.newest(world.candles.slug)
    with pytest.raises(StateForbids, match="No full sync"):
        world.run.cancel(world.candles.slug)
    world.connected(status=ConnectionStatus.ACCESS_LOST)
    with pytest.raises(StateForbids, match="again"):
        world.starts_sync()
    world.connected(connection=None)
    with pytest.raises(StateForbids, match="not connected"):
        world.starts_sync()


def test_a_disconnect_ends_the_sync(world: ProfileWorld) -> None:
    world.has(*NAMES)
    world.starts_sync()
    world.connected(status=ConnectionStatus.DISCONNECTED)
    world.lets_work()
    assert world.sync.state is SyncState.CANCELLED
    assert world.account.profiles() == {}


def moves_to_another_account(world: ProfileWorld) -> None:
    """While nobody looked at the sync: its message comes back a quarter of an hour later."""
    world.tasks.messages.clear()
    world.clock.sleep(60)
    world.connected(connected_at=world.clock.now(), first_sync=FirstSync.NOT_STARTED)
    world.account.fake.services.world.accounts["AbC123"].profiles = ProfileBook()


def half_synced(world: ProfileWorld) -> None:
    world.has_many(50)
    world.starts_sync()
    sends_one_request(world)
    assert world.sync.position


def test_a_sync_of_the_account_before_ends_and_nobody_is_left_out_of_the_next(world: ProfileWorld) -> None:
    """R7, R27, R28: after a disconnect everything begins anew, and only when the merchant says so."""
    half_synced(world)
    moves_to_another_account(world)
    work = world.walks()
    assert (world.sync.state, work.counts["SyncJobsSubmitted"]) == (SyncState.CANCELLED, 0)
    assert world.program.connection
    assert world.program.connection.first_sync is FirstSync.NOT_STARTED
    world.starts_sync()
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_a_new_sync_does_not_wait_for_one_of_the_account_before(world: ProfileWorld) -> None:
    """R27, R28."""
    half_synced(world)
    first = world.sync.id
    moves_to_another_account(world)
    assert world.starts_sync().id != first
    world.lets_work()
    assert (world.sync.state, world.sync.done) == (SyncState.DONE, 51)
    assert world.account.profiles() == world.newest()


def test_lost_access_pauses_the_sync_and_says_so(world: ProfileWorld) -> None:
    """R17."""
    world.has(*NAMES)
    world.starts_sync()
    world.connected(status=ConnectionStatus.ACCESS_LOST)
    work = world.walks()
    assert (work.counts["SyncRunsPaused"], work.trouble) == (1, None)
    assert world.sync.trouble == "klaviyo_access_lost"
    world.connected(status=ConnectionStatus.CONNECTED)
    world.walks()
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_a_program_without_members_is_synced_at_once(world: ProfileWorld) -> None:
    """R27."""
    world.starts_sync()
    world.lets_work()
    assert (world.sync.state, world.sync.total) == (SyncState.DONE, 0)
    assert world.account.calls("bulk_import_profiles") == 0


def test_marks_of_what_was_sent_go_and_those_of_newer_states_stay(world: ProfileWorld) -> None:
    """Nobody who was synced is sent a second time for a change from before."""
    world.has(*NAMES)
    assert world.owed_profiles() == 5
    world.starts_sync()
    world.walks()
    assert world.owed_profiles() == 0
    world.lets_work()
    assert world.account.calls("create_or_update_profile") == 0


def test_a_sync_estimates_its_end_by_its_pace(world: ProfileWorld) -> None:
    """R29."""
    world.has_many(99)
    sync = world.starts_sync()
    assert sync.estimated_end(world.clock.now()) is None
    world.walks()
    world.clock.sleep(30)
    world.follows()
    half = replace(world.sync, state=SyncState.RUNNING, done=50, total=100)
    now = half.started_at + timedelta(seconds=30)
    assert half.estimated_end(now) == now + timedelta(seconds=30)


def test_ids_say_who_has_been_in_a_sync(world: ProfileWorld) -> None:
    world.has(*NAMES)
    sync = world.starts_sync()
    assert not sync.includes(MemberId("a"))
    world.walks()
    assert world.sync.includes(MemberId("zzz"))


QUEUE_DELAY, BOUND = 5.0, 10.0
"""Seconds that the profiles queue holds a message back, and that a single change may take at most."""


def test_single_changes_are_fast_while_bulk_jobs_run(world: ProfileWorld) -> None:
    """R35: each change is in Klaviyo within ten seconds, p95 and all, while jobs take ten minutes each."""
    switches = world.account.fake.services.switches
    switches.job_queue_seconds, switches.job_processing_seconds = 300, 300
    members = world.has_many(400)
    world.starts_sync()
    while not world.sync.walked_all:
        world.clock.sleep(world.walks().retry_after or 1)
    assert world.sync.open_jobs > 15
    took = []
    for member in members[:40]:
        begun = world.clock.now()
        entry = world.gets(member.profile.email, Adjust(1))
        world.clock.sleep(QUEUE_DELAY)
        assert world.drain().trouble is None
        shown = world.account.profiles()[member.profile.email]["loyalty_points_balance"]
        assert shown == world.member(entry).amounts.available
        took.append((world.clock.now() - begun).total_seconds())
    assert world.sync.open_jobs > 15, "the jobs ran all the while"
    assert max(took) <= BOUND
    world.lets_work()
    assert world.account.profiles() == world.newest()
    assert world.account.exceeded() == []
