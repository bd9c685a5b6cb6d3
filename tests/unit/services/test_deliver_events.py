"""The events lane against the fake Klaviyo: every event exactly once, whatever goes wrong."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from loyalty.domain.connection import ConnectionStatus, FirstSync
from loyalty.domain.errors import Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry
from loyalty.domain.ledger.member import Profile, Standing
from tests.klaviyo_world import World

SARAH = "sarah.mason@klaviyo-demo.com"
SENT = (DeliveryState.SENT, "")
OWED = (DeliveryState.OWED, "")


@pytest.fixture
def world() -> World:
    return World()


def many(world: World, number: int, members: int = 7) -> list[Entry]:
    """Entries of a few members, as different as they come."""
    return [world.gets(f"member-{i % members}@klaviyo-demo.com", Adjust(1 + i)) for i in range(number)]


def assert_each_exactly_once(world: World, entries: list[Entry]) -> None:
    """Klaviyo holds these events, each once, and the ledger knows."""
    assert sorted(unique_id for unique_id, _, _ in world.account.events()) == sorted(entry.id for entry in entries)
    assert {world.state(entry) for entry in entries} == {SENT}


def test_events_of_many_members_go_in_one_request(world: World) -> None:
    entries = many(world, 50)
    (work,) = world.send(*entries)
    assert_each_exactly_once(world, entries)
    assert world.account.calls("bulk_create_events") == 1
    assert (work.counts["EventsSent"], work.later, work.trouble) == (50, {}, None)


def test_a_members_events_arrive_in_ledger_order(world: World) -> None:
    """R98."""
    entries = [world.gets(SARAH, Adjust(10 + i)) for i in range(12)]
    world.send(*reversed(entries))
    assert [properties["points"] for _, _, properties in world.account.events()] == list(range(10, 22))


@pytest.mark.slow
def test_more_than_a_request_holds_takes_two(world: World) -> None:
    entries = many(world, 1001, members=300)
    world.send(*entries)
    assert_each_exactly_once(world, entries)
    assert world.account.calls("bulk_create_events") == 2


def test_who_comes_before_the_limit_allows_it_reads_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long queue meets the limit with most of its messages; each batch would read a thousand entries in vain."""
    entries = many(world, 3)
    world.account.goes_wrong(kind="status", status=429, retry_after=17)
    world.send(entries[0])
    read, entries_of = list[object](), world.store.entries

    def counted(program: ProgramSlug, keys: Iterable[tuple[MemberId, int]]) -> list[Entry]:
        read.append(program)
        return entries_of(program, keys)

    monkeypatch.setattr(world.store, "entries", counted)
    (work,) = world.send(*entries)
    assert (len(work.later), read) == (3, [])
    assert work.retry_after is not None
    assert 0 < work.retry_after <= 17
    world.clock.sleep(17)
    world.send(*entries)
    assert_each_exactly_once(world, entries)
    assert len(read) == 1


def test_messages_that_come_twice_send_nothing_twice(world: World) -> None:
    entries = many(world, 3)
    world.send(*entries, *entries)
    (work,) = world.send(*entries)
    assert_each_exactly_once(world, entries)
    assert work.counts["EventsSent"] == 0
    assert world.account.calls("bulk_create_events") == 1


def test_an_event_sent_before_its_mark_was_written_is_not_doubled(world: World) -> None:
    """The worker died between Klaviyo's answer and the mark."""
    entry = world.gets(SARAH)
    world.send(entry)
    world.store.written[entry.program, entry.member_id, entry.seq] = replace(
        entry, delivery=Delivery(DeliveryState.OWED)
    )
    world.send(entry)
    assert_each_exactly_once(world, [entry])


def test_repeats_that_klaviyo_refuses_as_a_bulk_are_found_to_be_there(world: World) -> None:
    """Klaviyo's contract says that a stored unique_id fails a bulk request, its overview that it is dropped."""
    world.account.fake.services.switches.repeated_unique_id_in_bulk = "fail"
    entries = many(world, 30)
    world.send(*entries[:9])
    for entry in entries[:9]:
        world.store.written[entry.program, entry.member_id, entry.seq] = entry
    world.send_until_done(entries)
    assert_each_exactly_once(world, entries)


FAULTS: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 7},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "503": {"kind": "status", "status": 503},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 30},
    "silence": {"kind": "hang"},
    "an answer after the time limit": {"kind": "delay", "seconds": 60},
    "reset before": {"kind": "reset_before", "times": 2},
    "reset after": {"kind": "reset_after", "times": 2},
    "an answer that is no JSON": {"kind": "malformed_body"},
    "a 410": {"kind": "status", "status": 410},
    "a 400 naming nobody": {"kind": "status", "status": 400},
    "a 413": {"kind": "status", "status": 413},
    "a 400 naming an item": {"kind": "bad_item", "index": 11},
    "a 400 about an item without naming it": {"kind": "bad_item", "index": 11, "pointer": False},
}


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_after_any_fault_each_event_is_there_once(world: World, fault: dict[str, Any], times: int) -> None:
    """Nothing lost, nothing doubled, and no call above the published limits."""
    entries = many(world, 40)
    repeated = {"times": times * fault.get("times", 1)}
    world.account.goes_wrong(operation="bulk_create_events", **{**fault, **repeated})
    world.send_until_done(entries)
    assert_each_exactly_once(world, entries)
    assert world.account.exceeded() == []


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
def test_while_klaviyo_takes_nothing_everything_stays_owed(world: World, status: int) -> None:
    entries = many(world, 3)
    world.account.goes_wrong(kind="status", status=status, times=None)
    (work,) = world.send(*entries)
    assert {world.state(entry) for entry in entries} == {OWED}
    assert (len(work.later), work.counts["EventsDelayed"]) == (3, 3)
    assert work.trouble is not None
    assert world.account.calls("bulk_create_events") == 1


def test_the_time_klaviyo_names_is_kept(world: World) -> None:
    world.account.goes_wrong(kind="status", status=429, retry_after=17)
    (work,) = world.send(world.gets(SARAH))
    assert work.retry_after == 17


@pytest.mark.parametrize("status", [401, 403])
def test_a_lone_refusal_is_tried_again_at_once_and_does_not_disconnect(world: World, status: int) -> None:
    """R16: Klaviyo has refused good credentials for days."""
    entry = world.gets(SARAH)
    world.account.goes_wrong(kind="status", status=status)
    (work,) = world.send(entry)
    assert (world.state(entry), work.trouble) == (SENT, None)
    assert world.programs.programs[world.candles.slug].connection == world.candles.connection


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("position", [0, 17, 39])
def test_one_bad_event_fails_alone_with_klaviyos_reason(world: World, position: int, named: bool) -> None:
    entries = many(world, 40, members=40)
    bad = entries[position]
    for operation in ("bulk_create_events", "create_event"):
        world.account.goes_wrong(
            kind="bad_item",
            operation=operation,
            match={"unique_id": bad.id},
            times=None,
            pointer=named,
            detail="Nobody at odd@klaviyo-demo.com, sorry.",
        )
    (work,) = world.send(*entries)
    others = [entry for entry in entries if entry is not bad]
    assert_each_exactly_once(world, others)
    assert world.state(bad) == (DeliveryState.FAILED, "Nobody at ***, sorry.")
    assert (work.counts["EventsSent"], work.counts["EventsFailed"], work.later) == (39, 1, {})


def test_several_bad_events_fail_and_the_rest_is_delivered(world: World) -> None:
    entries = many(world, 60, members=60)
    bad = entries[::13]
    for entry in bad:
        world.account.goes_wrong(
            kind="bad_item", operation="bulk_create_events", match={"unique_id": entry.id}, times=None
        )
        world.account.goes_wrong(kind="bad_item", operation="create_event", match={"unique_id": entry.id}, times=None)
    world.send_until_done(entries)
    assert {world.state(entry)[0] for entry in bad} == {DeliveryState.FAILED}
    assert_each_exactly_once(world, [entry for entry in entries if entry not in bad])


def test_a_failed_event_is_not_tried_again(world: World) -> None:
    entry = world.gets(SARAH)
    world.account.goes_wrong(kind="status", operation="*", status=400, times=2)
    world.send(entry)
    world.send(entry)
    assert world.state(entry)[0] is DeliveryState.FAILED
    assert world.account.events() == []


@pytest.mark.slow
def test_what_was_delivered_before_trouble_came_does_not_come_back(world: World) -> None:
    entries = many(world, 1500, members=200)
    assert world.account.calls("bulk_create_events") == 0
    world.account.goes_wrong(
        kind="status", status=503, operation="bulk_create_events", match={"unique_id": _last(entries).id}
    )
    (work,) = world.send(*entries)
    assert len(work.later) == 500
    assert work.counts["EventsSent"] == 1000
    assert world.send_until_done(entries) == 1
    assert_each_exactly_once(world, entries)


def _last(entries: list[Entry]) -> Entry:
    return max(entries, key=lambda entry: (entry.member_id, entry.seq))


def test_no_call_begins_after_the_time_is_over(world: World) -> None:
    """A function that is killed in the middle of a call has sent what it did not note."""
    entries = many(world, 3)
    (work,) = world.send(*entries, seconds=0)
    assert isinstance(work.trouble, Transient)
    assert (work.trouble.code, len(work.later), work.retry_after) == ("out_of_time", 3, 0)
    assert world.account.calls("bulk_create_events") == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"first_sync": FirstSync.NOT_STARTED},
        {"first_sync": FirstSync.RUNNING},
        {"status": ConnectionStatus.ACCESS_LOST},
        {"status": ConnectionStatus.RECONNECT_REQUIRED},
    ],
    ids=str,
)
def test_while_nothing_may_be_sent_events_stay_owed_and_messages_go(world: World, changes: dict[str, Any]) -> None:
    """R17, R30: no call, no retry storm; the mark keeps what the message would."""
    entry = world.gets(SARAH)
    world.connected(**changes)
    (work,) = world.send(entry)
    assert world.state(entry) == OWED
    assert (work.counts["EventsPaused"], work.later, work.trouble) == (1, {}, None)
    assert world.account.fake.services.recorder.calls() == []


def test_after_access_is_back_what_was_owed_is_sent(world: World) -> None:
    """R19."""
    entries = many(world, 3)
    world.connected(status=ConnectionStatus.ACCESS_LOST)
    world.send(*entries)
    world.connected(status=ConnectionStatus.CONNECTED)
    world.send(*entries)
    assert_each_exactly_once(world, entries)


@pytest.mark.parametrize("changes", [{"status": ConnectionStatus.DISCONNECTED}, {"connection": None}], ids=str)
def test_after_a_disconnect_what_was_owed_is_not_sent_any_more(world: World, changes: dict[str, Any]) -> None:
    """R20."""
    entry = world.gets(SARAH)
    world.connected(**changes)
    (work,) = world.send(entry)
    assert world.state(entry) == (DeliveryState.SKIPPED, "not_connected")
    assert (work.counts["EventsSkipped"], work.later) == (1, {})


def test_a_member_without_an_address_is_skipped(world: World) -> None:
    """R31, R25: nobody is told of, and nothing comes back for ever."""
    entry, other = world.gets(SARAH), world.gets("bill@klaviyo-demo.com")
    nameless = replace(world.member(entry), profile=Profile(), standing=Standing.ERASED)
    world.store.stored[entry.program, entry.member_id] = nameless
    (work,) = world.send(entry, other)
    assert world.state(entry) == (DeliveryState.SKIPPED, "no_email")
    assert world.state(other) == SENT
    assert work.later == {}


def test_events_of_a_merged_member_go_to_who_it_became(world: World) -> None:
    """W13."""
    entry, other = world.gets("old@klaviyo-demo.com"), world.gets(SARAH)
    merged = replace(world.member(entry), standing=Standing.MERGED, merged_into=other.member_id, profile=Profile())
    world.store.stored[entry.program, entry.member_id] = merged
    world.send(entry)
    assert [(unique_id, email) for unique_id, email, _ in world.account.events()] == [(entry.id, SARAH)]


def test_an_event_type_outside_the_catalogue_fails_alone(world: World) -> None:
    entry, other = world.gets(SARAH, event_type="points_earnt"), world.gets(SARAH)
    (work,) = world.send(entry, other)
    assert world.state(entry) == (DeliveryState.FAILED, "There is no event type 'points_earnt'.")
    assert world.state(other) == SENT
    assert work.later == {}


def test_messages_about_nothing_are_done_with(world: World) -> None:
    """An entry or program that is not there will not come."""
    entry = world.gets(SARAH)
    stranger = replace(entry, seq=99)
    elsewhere = replace(entry, program=ProgramSlug("nobody"))
    done = world.send(stranger, elsewhere)
    assert [(work.later, work.trouble) for work in done] == [({}, None), ({}, None)]
    assert world.account.fake.services.recorder.calls() == []


def test_one_programs_trouble_is_not_anothers(world: World) -> None:
    """The key of one program was revoked; the other is served in the same run."""
    quiet = [world.gets(SARAH, program=world.soaps) for _ in range(3)]
    noisy = [world.gets(SARAH) for _ in range(3)]
    world.connected(credential=world.vault.encrypt(world.candles.slug, "pk_revoked"))
    done = {work.program: work for work in world.send(*noisy, *quiet)}
    assert (done[world.candles.slug].paused, {world.state(entry) for entry in noisy}) == (3, {OWED})
    assert done[world.soaps.slug].later == {}
    assert_each_exactly_once(world, quiet)


def test_even_an_unforeseen_error_stays_with_its_program(world: World) -> None:
    """A credential that cannot be decrypted, or a mistake of ours."""
    quiet, noisy = world.gets(SARAH, program=world.soaps), world.gets(SARAH)
    world.connected(credential=7)
    done = {work.program: work for work in world.send(noisy, quiet)}
    assert isinstance(done[world.candles.slug].trouble, TypeError)
    assert len(done[world.candles.slug].later) == 1
    assert world.state(quiet) == SENT


def test_what_klaviyo_took_is_counted_by_type(world: World) -> None:
    """R96: one write a run, and a repeat counts nothing."""
    entries = [world.gets(SARAH), world.gets(SARAH, event_type="points_earned_review"), world.gets(SARAH)]
    world.send(*entries)
    world.send(*entries)
    counted = world.sent.of(world.candles.slug)
    assert {name: figures.events for name, figures in counted.items()} == {
        "points_adjusted_up": 2,
        "points_earned_review": 1,
    }
    assert {figures.last_at for figures in counted.values()} == {world.clock.now()}


@pytest.mark.slow
def test_a_noisy_programs_thousands_come_after_a_quiet_ones_few(world: World) -> None:
    """One invocation that got messages of both: the quiet program's go first, and full requests follow."""
    noisy = world.has_owed(2500)
    quiet = [world.gets(SARAH, program=world.soaps) for _ in range(3)]
    world.send(*noisy, *quiet)
    first = [unique_id for unique_id, _, _ in world.account.events()][:3]
    assert sorted(first) == sorted(entry.id for entry in quiet)
    assert world.account.calls("bulk_create_events") == 1 + 3
    assert_each_exactly_once(world, [*noisy, *quiet])


@pytest.mark.slow
def test_a_program_whose_account_is_slow_leaves_the_others_their_time(world: World) -> None:
    """Each program has its share of the time, and what is left over goes to those after it."""
    few, lots = world.has_owed(2100), world.has_owed(2200, program=world.soaps)
    world.account.wire.before = lambda: world.clock.sleep(14)
    done = {work.program: work for work in world.send(*lots, *few)}
    assert done[world.candles.slug].states[DeliveryState.SENT] == 2000
    assert done[world.soaps.slug].states[DeliveryState.SENT] == 1000
    assert {work.trouble.code for work in done.values() if isinstance(work.trouble, Transient)} == {"out_of_time"}
