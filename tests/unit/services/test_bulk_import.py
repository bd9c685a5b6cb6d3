"""Many profiles as jobs: bad ones are found and told, jobs are followed to their end, none gets out of sight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty.adapters.klaviyo import bulk_profiles
from loyalty.adapters.klaviyo.payloads import encoded, profile_body
from loyalty.contracts.deliveries import SyncTask
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.errors import Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.member import Member, Profile
from loyalty.domain.profile_jobs import DOUBT
from loyalty.services import deliver_profiles
from loyalty.services.wake_syncs import WakeSyncs
from tests.fakes.memory_ledger import MemoryLedger
from tests.profile_world import ProfileWorld

FEW = 3


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> ProfileWorld:
    """More than three are many here, and eight fit a request."""
    monkeypatch.setattr(deliver_profiles, "FEW", FEW)
    monkeypatch.setattr(bulk_profiles, "MAX_PROFILES", 8)
    return ProfileWorld()


def names(number: int) -> list[str]:
    return [f"member-{i}" for i in range(number)]


def email(name: str) -> str:
    return f"{name}@klaviyo-demo.com"


def refused(world: ProfileWorld) -> dict[str, str]:
    stored = {key: world.store.stored[key] for key in world.store.refused}
    return {m.profile.email: world.store.refused[key] for key, m in stored.items() if isinstance(m, Member)}


def test_a_few_are_sent_one_by_one_and_many_as_jobs(world: ProfileWorld) -> None:
    world.has(*names(FEW))
    assert world.drain().counts["ProfilesSent"] == FEW
    world.has(*names(20))
    counts = world.drain().counts
    assert (counts["ProfilesSubmitted"], counts["ProfileJobsSubmitted"], counts["ProfilesSent"]) == (20, 3, 0)
    world.lets_work()
    assert world.account.profiles() == world.newest()
    assert world.account.calls("bulk_import_profiles") == 3


def test_a_job_reads_what_it_may_hold_however_much_is_owed(
    world: ProfileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And however much was sent before it in the same run."""
    monkeypatch.setattr(deliver_profiles, "MANY", 10)
    read: list[int] = []

    class Counting(MemoryLedger):
        def members(self, program: ProgramSlug, member_ids: Iterable[MemberId]) -> dict[MemberId, Member]:
            found = super().members(program, member_ids)
            read.append(len(found))
            return found

    world.uses(Counting())
    world.has_many(79, owed=True)
    assert world.drain().counts["ProfileJobsSubmitted"] == 10
    assert max(read) == 10
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_a_rest_below_many_is_sent_one_by_one(world: ProfileWorld) -> None:
    world.has(*names(10))
    counts = world.drain().counts
    assert (counts["ProfilesSubmitted"], counts["ProfilesSent"]) == (8, 2)


def test_a_profile_that_klaviyo_names_is_left_out_and_the_rest_goes(world: ProfileWorld) -> None:
    """A 400 at submission that points at entry n."""
    world.has(*names(6))
    fault = {"operation": "bulk_import_profiles", "match": {"email": email("member-2")}, "times": None}
    world.account.goes_wrong(kind="bad_item", detail="Not this one.", **fault)
    counts = world.drain().counts
    assert (counts["ProfilesSubmitted"], counts["ProfilesRefused"]) == (5, 1)
    world.lets_work()
    assert refused(world) == {email("member-2"): "Not this one."}
    assert set(world.account.profiles()) == {email(name) for name in names(6)} - {email("member-2")}
    assert world.account.calls("bulk_import_profiles") == 2


def test_a_profile_that_klaviyo_does_not_name_is_found_by_halves(world: ProfileWorld) -> None:
    world.has(*names(8))
    fault = {"operation": "bulk_import_profiles", "match": {"email": email("member-5")}, "times": None}
    world.account.goes_wrong(kind="bad_item", pointer=False, detail="One of them.", **fault)
    counts = world.drain().counts
    assert (counts["ProfilesSubmitted"], counts["ProfilesRefused"]) == (7, 1)
    world.lets_work()
    assert list(refused(world)) == [email("member-5")]
    assert len(world.account.profiles()) == 7


@pytest.mark.parametrize("mode", ["reject", "import_error"])
def test_a_bad_address_is_told_either_way(world: ProfileWorld, mode: Any) -> None:
    """docs/klaviyo.md 4: the documents say both, a 400 or an import error."""
    world.account.fake.services.switches.invalid_email_in_import = mode
    world.has(*names(5), "double..dot")
    world.drain()
    world.lets_work()
    assert refused(world) == {email("double..dot"): "Invalid email address."}
    assert len(world.account.profiles()) == 5


def test_what_a_job_did_not_import_is_noted_with_klaviyos_reason(world: ProfileWorld) -> None:
    """And an address in Klaviyo's words is not kept."""
    world.has(*names(6))
    why = "No such luck for member-1@klaviyo-demo.com."
    world.account.goes_wrong(kind="import_error", match={"email": email("member-1")}, detail=why)
    world.drain()
    world.lets_work()
    assert refused(world) == {email("member-1"): "No such luck for ***"}
    assert world.owed_profiles() == 0
    world.has("member-1")
    world.lets_work()
    assert world.account.profiles() == world.newest()
    assert refused(world) == {}


def test_properties_that_became_empty_are_removed_by_a_job_too(world: ProfileWorld) -> None:
    """docs/klaviyo.md 4: a job cannot null, so they are unset."""
    entries = world.has(*names(5))
    for lots in ({"2027-01-31": 5}, {"never": 5}):
        for entry in entries:
            key = (entry.program, entry.member_id)
            world.store.stored[key] = replace(world.member(entry), lots=lots)
            world.store.owed_since[key] = world.clock.now()
        assert world.drain().counts["ProfilesSubmitted"] == 5
        world.lets_work()
        assert world.account.profiles() == world.newest()
    assert not [name for held in world.account.profiles().values() for name in held if "expiry" in name]


def test_more_import_errors_than_a_page_are_all_read(world: ProfileWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_profiles, "ERRORS_PER_PAGE", 2)
    world.has(*names(7))
    for name in names(5):
        world.account.goes_wrong(kind="import_error", match={"email": email(name)})
    world.drain()
    world.lets_work()
    assert set(refused(world)) == {email(name) for name in names(5)}
    assert world.account.calls("get_errors_for_bulk_import_profiles_job") == 3


def test_a_change_while_a_job_is_open_is_the_last_word(world: ProfileWorld) -> None:
    """R37: the single change goes at once, the job is worked on afterwards, and the newest state is sent again."""
    world.account.fake.services.switches.job_mode = "manual"
    world.has(*names(5))
    world.drain()
    world.has("member-1", action=Adjust(100))
    assert world.drain().counts["ProfilesSent"] == 1
    assert world.account.profiles()[email("member-1")]["loyalty_points_balance"] == 105
    world.account.fake.services.jobs.run_now()
    assert world.account.profiles()[email("member-1")]["loyalty_points_balance"] == 5
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_a_job_is_asked_about_again_after_half_its_age(world: ProfileWorld) -> None:
    """An hour's job is not asked about seven hundred times."""
    switches = world.account.fake.services.switches
    switches.job_queue_seconds, switches.job_processing_seconds = 1800, 1800
    world.has(*names(5))
    world.drain()
    world.lets_work()
    assert world.account.profiles() == world.newest()
    assert world.account.calls("get_bulk_import_profiles_job") < 25


def test_a_worker_that_dies_after_klaviyo_took_a_job_leaves_it_known(
    world: ProfileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether Klaviyo has it; so in the end everybody in it is sent once more."""
    world.account.fake.services.switches.job_mode = "manual"
    world.has(*names(5))

    def dies(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(type(world.jobs), "accepted", lambda _, job: dies(job))
        with pytest.raises(KeyboardInterrupt):
            world.drain()
    world.has(*names(5), action=Adjust(100))
    world.drain()
    jobs = list(world.account.fake.services.world.accounts["AbC123"].jobs)
    world.account.fake.services.jobs.run_now(jobs[::-1])
    assert world.account.profiles()[email("member-1")]["loyalty_points_balance"] == 5
    world.account.fake.services.switches.job_mode = "timed"
    world.lets_work()
    assert world.account.profiles() == world.newest()
    assert world.jobs.open(world.candles.slug) == []


@pytest.mark.parametrize("kind", ["reset_after", "malformed_body", "hang"])
def test_an_answer_that_is_lost_loses_nobody(world: ProfileWorld, kind: Any) -> None:
    world.account.fake.services.switches.job_order = "newest_first"
    world.has(*names(5))
    world.account.goes_wrong(kind=kind, operation="bulk_import_profiles")
    assert world.drain().trouble is not None
    start = world.clock.now()
    world.lets_work()
    assert world.account.profiles() == world.newest()
    assert world.jobs.open(world.candles.slug) == []
    assert world.clock.now() - start >= DOUBT


def test_a_throttled_request_leaves_no_job_in_doubt(world: ProfileWorld) -> None:
    world.has(*names(5))
    world.account.goes_wrong(kind="status", operation="bulk_import_profiles", status=429, retry_after=9)
    assert world.drain().retry_after == 9
    assert world.jobs.open(world.candles.slug) == []


def test_a_job_whose_message_cannot_be_queued_is_not_sent(world: ProfileWorld) -> None:
    """Nobody would look at it."""
    world.has(*names(5))
    world.tasks.troubles = 1
    assert isinstance(world.drain().trouble, Transient)
    assert (world.jobs.open(world.candles.slug), world.account.calls("bulk_import_profiles")) == ([], 0)
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_a_job_that_klaviyo_forgot_has_its_members_owed_again(world: ProfileWorld) -> None:
    world.has(*names(5))
    world.drain()
    assert world.owed_profiles() == 0
    world.account.fake.services.world.accounts["AbC123"].jobs.clear()
    (work,) = world.follows()
    assert (work.counts["ProfileJobsVanished"], work.counts["ProfilesOwedAgain"]) == (1, 5)
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_a_job_that_klaviyo_gave_up_has_its_members_owed_again(world: ProfileWorld) -> None:
    """docs/klaviyo.md 4: a cancelled job names nobody it did not import."""
    world.account.fake.services.switches.job_mode = "manual"
    world.has(*names(5))
    world.drain()
    (job,) = world.account.fake.services.world.accounts["AbC123"].jobs.values()
    job.status = "cancelled"
    (work,) = world.follows()
    assert (work.counts["ProfileJobsEnded"], work.counts["ProfilesOwedAgain"]) == (0, 5)
    world.account.fake.services.switches.job_mode = "timed"
    world.lets_work()
    assert world.account.profiles() == world.newest()


def test_a_profile_that_no_request_can_hold_is_refused_alone(
    world: ProfileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/klaviyo.md 4: 100 KB a profile."""
    large, *others = world.has(*names(6))
    size = max(len(encoded(profile_body(profile))) for profile in map(world.profile, others))
    monkeypatch.setattr(bulk_profiles, "MAX_PROFILE_BYTES", size)
    member = world.member(large)
    profile = replace(member.profile, birthday="1990-05-05")
    world.store.stored[large.program, large.member_id] = replace(member, profile=profile)
    work = world.drain()
    assert (work.trouble, work.counts["ProfilesSubmitted"], work.counts["ProfilesRefused"]) == (None, 5, 1)
    assert list(refused(world)) == [email("member-0")]
    assert world.owed_profiles() == 0


def test_a_key_without_the_scopes_of_lists_sends_one_by_one(world: ProfileWorld) -> None:
    """docs/klaviyo.md 1: bulk imports need lists:write although no list is used."""
    world.has(*names(12))
    world.account.goes_wrong(kind="status", operation="bulk_import_profiles", status=403, times=None)
    work = world.drain()
    assert (work.trouble, work.counts["ProfilesSent"]) == (None, 12)
    assert world.account.profiles() == world.newest()
    assert world.jobs.open(world.candles.slug) == []


def test_with_access_lost_jobs_wait_and_are_taken_up_again(world: ProfileWorld) -> None:
    """R17, R19: their messages go, so that nothing keeps coming back."""
    world.has(*names(5))
    world.drain()
    world.connected(status=ConnectionStatus.ACCESS_LOST)
    world.lets_work()
    assert len(world.jobs.open(world.candles.slug)) == 1
    world.connected(status=ConnectionStatus.CONNECTED)
    wake = WakeSyncs(world.jobs, world.syncs, world.tasks, world.clock)
    assert wake(world.candles.slug, idle_for=timedelta()) == 1
    world.lets_work()
    assert world.jobs.open(world.candles.slug) == []


def test_after_a_disconnect_jobs_are_forgotten(world: ProfileWorld) -> None:
    world.has(*names(5))
    world.drain()
    world.connected(connection=None)
    world.lets_work()
    assert world.jobs.open(world.candles.slug) == []


def test_jobs_of_the_account_before_are_nothing_to_ask_the_new_one_about(world: ProfileWorld) -> None:
    """A disconnect and a connect between two looks."""
    world.has(*names(5))
    world.drain()
    world.clock.sleep(60)
    world.connected(connected_at=world.clock.now())
    (work,) = world.follows()
    assert (work.trouble, world.jobs.open(world.candles.slug)) == (None, [])
    assert world.account.calls("get_bulk_import_profiles_job") == 0


def test_only_what_stands_still_is_woken_up(world: ProfileWorld) -> None:
    """R29: a message got lost, the job or sync did not."""
    wake = WakeSyncs(world.jobs, world.syncs, world.tasks, world.clock)
    world.has(*names(5))
    world.drain()
    world.starts_sync()
    world.tasks.messages.clear()
    assert wake(world.candles.slug) == 0
    world.clock.sleep(1801)
    assert wake(world.candles.slug) == 2
    world.lets_work()
    assert world.sync.ended_at is not None
    assert wake(world.candles.slug) == 0


def test_a_job_that_takes_long_is_not_woken_up_while_it_is_looked_at(world: ProfileWorld) -> None:
    """Else each hour there would be one message more for each job, all of them asking Klaviyo."""
    world.account.fake.services.switches.job_mode = "manual"
    wake = WakeSyncs(world.jobs, world.syncs, world.tasks, world.clock)
    world.has(*names(5))
    world.drain()
    for _ in range(8):
        world.clock.sleep(1000)
        assert [work.again for work in world.follows()] == [300]
        assert wake(world.candles.slug) == 0
    world.clock.sleep(1801)
    assert wake(world.candles.slug) == 1


def test_a_sync_that_waits_for_klaviyo_is_not_woken_up_while_it_is_tried(world: ProfileWorld) -> None:
    """R29: through an outage its one message is enough."""
    wake = WakeSyncs(world.jobs, world.syncs, world.tasks, world.clock)
    world.account.goes_wrong(kind="status", operation="bulk_import_profiles", status=503, times=None)
    world.has(*names(5))
    world.starts_sync()
    world.tasks.messages.clear()
    for _ in range(8):
        world.clock.sleep(900)
        assert isinstance(world.walks().trouble, Transient)
        wake(world.candles.slug)
    assert all(SyncTask.model_validate_json(message.body).job for message in world.tasks.messages)


def test_no_time_left_means_a_message_for_the_rest(world: ProfileWorld) -> None:
    world.has(*names(5))
    assert world.drain(seconds=0).counts["ProfileRunsContinued"] == 1
    assert world.owed_profiles() == 5


def test_members_without_an_address_are_in_no_job(world: ProfileWorld) -> None:
    """R31."""
    nobody = world.has_many(6, owed=True)[0]
    world.store.stored[nobody.program, nobody.member_id] = replace(nobody, profile=Profile())
    work = world.drain()
    assert work.counts["ProfilesWithoutAddress"] == 1
    world.lets_work()
    assert world.owed_profiles() == 0
