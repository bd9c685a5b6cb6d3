"""The profiles lane against the fake Klaviyo: every profile ends at the newest state, whatever goes wrong."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from loyalty.contracts.deliveries import OwedProfiles
from loyalty.domain.connection import ConnectionStatus, FirstSync
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.member import Member, Profile, Standing
from loyalty.ports import Receipt
from loyalty.services.merge_members import MergeMembers
from tests.fakes.memory_ledger import MemoryLedger
from tests.klaviyo_world import World

SARAH = "sarah.mason@klaviyo-demo.com"


@pytest.fixture
def world() -> World:
    return World()


def emails(number: int) -> list[str]:
    return [f"member-{i}@klaviyo-demo.com" for i in range(number)]


def balances(world: World) -> dict[str, Any]:
    return {email: held["loyalty_points_balance"] for email, held in world.account.profiles().items()}


def test_each_owed_profile_is_sent_once_with_its_newest_state(world: World) -> None:
    """R37, R38: three changes of one member are one update."""
    for email in emails(5):
        for points in (10, 20, 30):
            world.gets(email, Adjust(points))
    work = world.drain()
    assert balances(world) == dict.fromkeys(emails(5), 60)
    assert (work.counts["ProfilesSent"], work.trouble, world.owed_profiles()) == (5, None, 0)
    assert world.account.calls("create_or_update_profile") == 5


def test_profiles_are_created_and_updated(world: World) -> None:
    """R34: 201 and 200 both count."""
    world.gets(SARAH, Adjust(10))
    world.drain()
    world.gets(SARAH, Adjust(-10))
    world.drain()
    assert balances(world) == {SARAH: 0}


def test_a_selection_without_events_changes_nothing_for_profiles(world: World) -> None:
    """R97."""
    world.programs.programs[world.candles.slug] = replace(world.candles, events_off=frozenset({"points_adjusted_up"}))
    world.gets(SARAH, Adjust(10))
    world.drain()
    assert balances(world) == {SARAH: 10}
    assert world.account.events() == []


def test_properties_that_became_empty_are_removed_in_klaviyo(world: World) -> None:
    entry = world.gets(SARAH, Adjust(10))
    world.store.stored[entry.program, entry.member_id] = replace(world.member(entry), lots={"2027-01-31": 10})
    world.drain()
    assert world.account.profiles()[SARAH]["loyalty_next_expiry_points"] == 10
    world.store.stored[entry.program, entry.member_id] = replace(world.member(entry), lots={"never": 10})
    world.gets(SARAH, Adjust(1))
    world.drain()
    assert not {name for name in world.account.profiles()[SARAH] if "expiry" in name}


FAULTS: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 7},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "503": {"kind": "status", "status": 503},
    "silence": {"kind": "hang"},
    "an answer after the time limit": {"kind": "delay", "seconds": 60},
    "reset before": {"kind": "reset_before", "times": 2},
    "reset after": {"kind": "reset_after", "times": 2},
    "an answer that is no JSON": {"kind": "malformed_body"},
    "a lone 401": {"kind": "status", "status": 401},
    "a 403": {"kind": "status", "status": 403},
    "a 410": {"kind": "status", "status": 410},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_after_any_fault_every_profile_is_at_the_newest_state(world: World, fault: dict[str, Any]) -> None:
    for number, email in enumerate(emails(6)):
        world.gets(email, Adjust(1 + number))
    world.account.goes_wrong(operation="create_or_update_profile", **fault)
    world.drain_until_done()
    assert balances(world) == {email: 1 + number for number, email in enumerate(emails(6))}
    assert world.account.exceeded() == []


def test_trouble_ends_the_run_and_leaves_the_rest_owed(world: World) -> None:
    """No call after the one that failed: the others would fail too."""
    for email in emails(4):
        world.gets(email)
    world.account.goes_wrong(kind="status", status=429, retry_after=17, times=None)
    work = world.drain()
    assert (work.retry_after, work.counts["ProfilesSent"], world.owed_profiles()) == (17, 0, 4)
    assert world.account.calls("create_or_update_profile") == 1


@pytest.mark.parametrize("status", [400, 409, 413])
def test_a_refused_profile_is_noted_and_the_others_are_sent(world: World, status: int) -> None:
    entry = world.gets(emails(3)[0])
    for email in emails(3)[1:]:
        world.clock.sleep(1)
        world.gets(email)
    world.account.goes_wrong(kind="status", operation="create_or_update_profile", status=status, detail="Not this one.")
    work = world.drain()
    assert sorted(balances(world)) == emails(3)[1:]
    assert world.store.refused == {(world.candles.slug, entry.member_id): "Not this one."}
    assert (work.counts["ProfilesRefused"], work.counts["ProfilesSent"], world.owed_profiles()) == (1, 2, 0)


def test_a_refused_profile_is_tried_again_after_the_next_change(world: World) -> None:
    world.gets(SARAH)
    world.account.goes_wrong(kind="status", status=400)
    world.drain()
    world.gets(SARAH)
    world.drain()
    assert balances(world) == {SARAH: 10}
    assert world.store.refused == {}


class Interrupting(MemoryLedger):
    """A store in which a member changes while its profile is being sent."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.changes = 3

    def clear_profile(self, program: ProgramSlug, member_id: MemberId, version: int) -> bool:
        if self.changes:
            self.changes -= 1
            self.world.gets(SARAH, Adjust(100))
        return super().clear_profile(program, member_id, version)


def test_a_change_while_its_profile_is_sent_is_sent_too(world: World) -> None:
    """The mark goes only if the version is still the one that was sent."""
    store = Interrupting(world)
    world.uses(store)
    world.gets(SARAH, Adjust(1))
    work = world.drain()
    assert balances(world) == {SARAH: 301}
    assert (work.counts["ProfilesSent"], world.owed_profiles()) == (4, 0)


class Lagging(MemoryLedger):
    """A store whose index still shows what was cleared a moment ago, as DynamoDB's may."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[MemberId] = []

    def owed_profiles(self, program: ProgramSlug, *, limit: int) -> list[MemberId]:
        self.shown = list(dict.fromkeys([*self.shown, *super().owed_profiles(program, limit=100_000)]))
        return self.shown[:limit]


def test_an_index_that_lags_behind_neither_repeats_nor_hides_anything(world: World) -> None:
    """The old ones stand in front of the new ones all the time, be they sent one by one or in bulk."""
    store = Lagging()
    world.uses(store)
    for email in emails(90):
        world.gets(email, Adjust(3))
    world.drain()
    for email in emails(250)[90:]:
        world.gets(email, Adjust(3))
    world.drain()
    world.clock.sleep(10)
    assert balances(world) == dict.fromkeys(emails(250), 3)
    assert world.account.calls("create_or_update_profile") == 90
    assert world.account.calls("bulk_import_profiles") == 1


def test_what_does_not_fit_a_run_is_taken_up_by_a_message_of_its_own(world: World) -> None:
    for email in emails(10):
        world.gets(email)
    clock = world.clock

    class Slow(MemoryLedger):
        def clear_profile(self, program: ProgramSlug, member_id: MemberId, version: int) -> bool:
            clock.sleep(10)
            return super().clear_profile(program, member_id, version)

    slow = Slow()
    slow.__dict__.update(world.store.__dict__)
    world.deliver_profiles = replace(world.deliver_profiles, outbox=slow)
    work = world.drain(seconds=35)
    assert (work.counts["ProfilesSent"], work.counts["ProfileRunsContinued"], work.trouble) == (4, 1, None)
    (message,) = world.queue.messages
    assert OwedProfiles.model_validate_json(message.body).program == world.candles.slug
    assert message.group == world.candles.slug
    assert world.owed_profiles() == 6


def test_two_runs_that_end_early_leave_two_different_messages(world: World) -> None:
    """A FIFO queue would drop the second one for a repeat."""
    world.gets(SARAH)
    world.drain(seconds=0)
    world.clock.sleep(0.5)
    world.drain(seconds=0)
    assert len({message.deduplication_id for message in world.queue.messages}) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"first_sync": FirstSync.NOT_STARTED},
        {"status": ConnectionStatus.ACCESS_LOST},
        {"status": ConnectionStatus.DISCONNECTED},
        {"connection": None},
    ],
    ids=str,
)
def test_while_nothing_may_be_sent_profiles_stay_owed(world: World, changes: dict[str, Any]) -> None:
    """R17, R30: and the message goes, so that nothing keeps coming back."""
    world.gets(SARAH)
    world.connected(**changes)
    work = world.drain()
    assert (work.counts["ProfileRunsPaused"], work.trouble, world.owed_profiles()) == (1, None, 1)
    assert world.account.fake.services.recorder.calls() == []


def test_a_program_that_is_not_there_needs_nothing(world: World) -> None:
    work = world.drain(replace(world.candles, slug=ProgramSlug("nobody")))
    assert work.trouble is None


def test_a_member_without_an_address_is_owed_nothing(world: World) -> None:
    """R31, R25."""
    entry = world.gets(SARAH)
    nameless = replace(world.member(entry), profile=Profile(), standing=Standing.ERASED)
    world.store.stored[entry.program, entry.member_id] = nameless
    work = world.drain()
    assert (work.counts["ProfilesWithoutAddress"], world.owed_profiles()) == (1, 0)
    assert world.account.fake.services.recorder.calls() == []


def merge(world: World, ending: MemberId, staying: MemberId) -> None:
    receipt = MergeMembers(world.ledger)(world.candles, ending, staying, actor="support")
    assert isinstance(receipt, Receipt)


def test_the_address_of_a_merged_member_is_told_so(world: World) -> None:
    """W13: else it would go on showing points that somebody else has now."""
    ending, staying = (world.gets(email, Adjust(10)) for email in emails(2))
    merge(world, ending.member_id, staying.member_id)
    world.drain_until_done()
    assert balances(world) == {emails(2)[0]: 0, emails(2)[1]: 20}
    assert world.account.profiles()[emails(2)[0]]["loyalty_state"] == "merged"


@pytest.mark.parametrize("seconds", [0, 5])
def test_an_address_that_went_over_in_a_merge_shows_who_has_it_now(world: World, seconds: int) -> None:
    """W13: whichever of the two is owed longer, and whatever was sent of the one that ended."""
    ending, guest = world.gets(SARAH, Adjust(10)), world.gets(emails(1)[0], Adjust(1))
    nobody = replace(world.member(guest), profile=Profile(phone="+4915112345678"))
    world.store.stored[guest.program, guest.member_id] = nobody
    world.drain()
    world.clock.sleep(seconds)
    merge(world, ending.member_id, guest.member_id)
    world.drain_until_done()
    assert balances(world)[SARAH] == 11
    world.store.owed_since[ending.program, ending.member_id] = world.clock.now()
    world.drain_until_done()
    assert balances(world)[SARAH] == 11
    assert world.account.profiles()[SARAH]["loyalty_state"] == "member"


def test_those_owed_longest_come_first(world: World) -> None:
    for email in reversed(emails(3)):
        world.gets(email)
        world.clock.sleep(1)

    class Shuffled(MemoryLedger):
        def members(self, program: ProgramSlug, member_ids: Iterable[MemberId]) -> dict[MemberId, Member]:
            return dict(sorted(super().members(program, member_ids).items()))

    store = Shuffled()
    store.__dict__.update(world.store.__dict__)
    world.deliver_profiles = replace(world.deliver_profiles, outbox=store)
    world.drain()
    assert list(balances(world)) == list(reversed(emails(3)))


def test_an_unforeseen_error_is_told_and_leaves_everything_owed(world: World) -> None:
    world.gets(SARAH)
    world.connected(credential=7)
    work = world.drain()
    assert isinstance(work.trouble, TypeError)
    assert world.owed_profiles() == 1


def test_klaviyo_is_not_opened_when_nothing_is_owed(world: World) -> None:
    """Decrypting the credential costs a call to the key service."""
    world.drain()
    assert world.vault.decryptions == 0
