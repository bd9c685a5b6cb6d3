"""A sweep attends to everybody due, past members it cannot attend to, and goes on where its time ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.contracts.sweeps import SweepShard
from loyalty.domain.errors import Invalid, Transient
from loyalty.domain.identity import Address, MemberId, ProgramSlug
from loyalty.domain.ledger.commands import CommandKey, Earn, Narrative
from loyalty.domain.ledger.entry import Source
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.terms import BirthdayRule, Terms
from loyalty.domain.program import Program
from loyalty.ports import DueMember, Plan, QueueMessage, Receipt, Redirect
from loyalty.services import sweep_due
from loyalty.services.begin_sweep import BeginSweep
from loyalty.services.identify_member import IdentifyMember
from loyalty.services.posting import Ledger
from loyalty.services.sweep_due import SweepDue, Swept
from tests.builders import a_command, a_program
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_due import MemoryDueIndex
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms

TERMS = Terms(expiry=AfterEarning(Period(days=10)), expiry_revision=1, warning_days=(3,))


class Queue:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[QueueMessage] = []

    def send(self, messages: Sequence[QueueMessage]) -> None:
        self.messages += messages


class TornLedger(MemoryLedger):
    """A store that cannot read or write some members, for a reason."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[MemberId, Exception] = {}
        self.unreadable: set[MemberId] = set()

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        if member_id in self.unreadable:
            raise KeyError("available")
        return super().find(program, member_id)

    def commit(self, plan: Plan) -> None:
        for posting in plan.postings:
            if reason := self.reasons.get(posting.after.member_id):
                raise reason
        super().commit(plan)


class TornPrograms(MemoryPrograms):
    """Some programs cannot be read."""

    def __init__(self, *programs: Program) -> None:
        super().__init__(*programs)
        self.damaged: set[ProgramSlug] = set()

    def load(self, slug: ProgramSlug) -> Program | None:
        if slug in self.damaged:
            raise KeyError("terms")
        return super().load(slug)


class World:
    """Five members whose ten points expire in ten days, and a sweep."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.store = TornLedger()
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())
        self.program = a_program(terms=TERMS)
        self.programs = TornPrograms(self.program)
        self.queue = Queue()
        self.told: list[tuple[DueMember, Exception]] = []
        self.members = [self.earn(number) for number in range(5)]
        self.sweep = SweepDue(
            programs=self.programs,
            ledger=self.ledger,
            index=MemoryDueIndex(self.store),
            queue=self.queue,
            clock=self.clock,
            failed=lambda member, error: self.told.append((member, error)),
        )

    def earn(self, number: int) -> MemberId:
        address = Address("email", f"customer{number}@klaviyo-demo.com")
        receipt = self.ledger.post(self.program, address, a_command(Earn(10), at=self.clock.now()), newcomer=True)
        assert isinstance(receipt, Receipt)
        return receipt.member_id

    def run(self, *, seconds: float = 60, after: str = "") -> Swept:
        now = self.clock.now()
        message = SweepShard(shard=0, until=now, begun=now, after=after)
        return self.sweep(message.model_dump_json(), seconds=seconds)

    def available(self) -> list[int]:
        found = [self.store.stored[self.program.slug, member] for member in self.members]
        return [member.amounts.available for member in found if isinstance(member, Member)]


@pytest.fixture
def world() -> World:
    return World()


def test_nobody_due_costs_one_look(world: World) -> None:
    report = world.run()
    assert (report.due, report.acted, report.failed) == (0, 0, 0)


def test_everybody_is_warned_and_later_expired_once(world: World) -> None:
    world.clock.advance(days=8)
    assert world.run().acted == 5
    assert world.run().due == 0
    world.clock.advance(days=4)
    assert world.run().acted == 5
    assert world.available() == [0] * 5
    assert world.run().due == 0


def test_a_member_that_cannot_be_attended_to_does_not_hold_up_the_others(world: World) -> None:
    world.clock.advance(days=20)
    world.store.reasons[world.members[2]] = RuntimeError("damaged")
    report = world.run()
    assert (report.due, report.acted, report.failed) == (5, 4, 1)
    assert world.available() == [0, 0, 10, 0, 0]
    assert [member.member_id for member, _ in world.told] == [world.members[2]]
    world.store.reasons.clear()
    assert world.run().acted == 1


def test_a_member_that_cannot_even_be_read_holds_up_nobody_however_long_it_has_been_due(world: World) -> None:
    """Damaged items fail when they are read. Others' lag stays what it is, so the alarm for late sweeps stays quiet."""
    world.clock.advance(days=20)
    world.store.unreadable.add(world.members[0])
    report = world.run()
    assert (report.due, report.acted, report.failed) == (5, 4, 1)
    world.clock.advance(days=1)
    report = world.run()
    assert (report.due, report.failed, report.lag_seconds) == (1, 1, 0)
    assert [member.member_id for member, _ in world.told] == [world.members[0]] * 2


def test_a_program_that_cannot_be_read_holds_up_no_other(world: World) -> None:
    """Shards are shared by all programs."""
    world.clock.advance(days=20)
    due = MemoryDueIndex(world.store).due(0, world.clock.now(), after="", limit=1)[0]
    world.store.due[(ProgramSlug("damaged"), due.member_id)] = due.due_at - timedelta(days=1)
    world.programs.damaged.add(ProgramSlug("damaged"))
    report = world.run()
    assert (report.due, report.acted, report.failed) == (6, 5, 1)
    assert [member.program for member, _ in world.told] == ["damaged"]


def test_storage_out_of_reach_has_the_shard_swept_again(world: World) -> None:
    world.clock.advance(days=20)
    world.store.reasons[world.members[0]] = Transient("Storage is busy.")
    with pytest.raises(Transient):
        world.run()
    world.store.reasons.clear()
    world.run()
    assert world.available() == [0] * 5


def test_what_is_left_when_time_ends_goes_on_in_a_message_of_its_own(world: World) -> None:
    world.clock.advance(days=20)
    report = world.run(seconds=0)
    assert (report.due, report.continues) == (0, True)
    (message,) = world.queue.messages
    world.sweep(message.body, seconds=60)
    assert world.available() == [0] * 5


def test_the_lag_is_how_long_the_longest_waiting_member_was_due(world: World) -> None:
    """Earned on 2 March, expiring on the 12th, warned of from the beginning of the 9th on; it is three o'clock."""
    world.clock.advance(days=7, hours=3)
    assert world.run().lag_seconds == 15 * 3600


def test_points_given_with_little_time_left_are_not_late(world: World) -> None:
    """Their warning was due weeks before they came; no alarm is to ring for that."""
    world.programs.programs[world.program.slug] = replace(world.program, terms=replace(TERMS, warning_days=(30,)))
    for member in world.members:
        world.clock.advance(minutes=1)
        world.ledger.post_here(
            world.programs.programs[world.program.slug], member, a_command(Earn(1), at=world.clock.now())
        )
    assert {due.due_at for due in MemoryDueIndex(world.store).due(0, world.clock.now(), after="", limit=9)} == {
        START - timedelta(days=20, hours=12)
    }
    world.clock.advance(hours=2)
    report = world.run()
    assert (report.acted, report.lag_seconds) == (5, 2 * 3600 + 4 * 60)


def test_a_due_time_of_other_terms_is_corrected(world: World) -> None:
    """A program may change its thresholds without every member being written."""
    world.programs.programs[world.program.slug] = replace(world.program, terms=replace(TERMS, warning_days=(1,)))
    world.clock.advance(days=7)
    report = world.run()
    assert (report.due, report.skipped, report.acted) == (5, 5, 0)
    assert world.run().due == 0
    world.clock.advance(days=2)
    assert world.run().acted == 5


def test_terms_that_change_during_a_sweep_hold_from_the_next_page_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R183: who turns warnings off in the middle of a large sweep need not wait for its end, and who is settled
    meanwhile is not put back to where the old terms had it."""
    monkeypatch.setattr(sweep_due, "PAGE", 2)
    pages = iter([TERMS, replace(TERMS, warning_days=()), TERMS, TERMS])

    def due(*asked: Any, **options: Any) -> list[DueMember]:
        world.programs.programs[world.program.slug] = replace(world.program, terms=next(pages))
        return index.due(*asked, **options)

    index = MemoryDueIndex(world.store)
    monkeypatch.setattr(world.sweep.index, "due", due)
    world.clock.advance(days=8)
    report = world.run()
    assert (report.due, report.acted, report.skipped) == (5, 3, 2)


def test_birthdays_are_celebrated_without_the_sweep_knowing_of_them(world: World) -> None:
    """R169: a kind of its own, registered where the others are."""
    program = world.programs.programs[world.program.slug] = replace(
        world.program, terms=Terms(birthday=BirthdayRule(100))
    )
    person = world.ledger
    IdentifyMember(person)(
        program,
        Address("email", "sarah@klaviyo-demo.com"),
        {"birthday": "1990-06-15"},
        key=CommandKey("test", "birthday"),
        narrative=Narrative(Source("test"), "tester", world.clock.now()),
        standing=Standing.MEMBER,
    )
    world.clock.time = datetime(2026, 6, 15, 0, 5, tzinfo=UTC)
    world.run()
    found = person.find(program, Address("email", "sarah@klaviyo-demo.com"))
    assert found is not None
    assert (found.amounts.available, found.version) == (100, 2)
    assert person.store.entry(program.slug, found.member_id, 2).event_type == "points_earned_birthday"  # type: ignore[union-attr]
    assert world.run().due == 0


def test_members_of_a_program_that_is_gone_are_reported(world: World) -> None:
    world.programs.programs.clear()
    world.clock.advance(days=20)
    assert world.run().failed == 5


def test_a_message_of_something_else_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="not a message of a sweep"):
        world.sweep("{}", seconds=60)


def test_the_schedule_hands_out_every_shard(world: World) -> None:
    begun = BeginSweep(world.queue, world.clock, 16)()
    shards = [SweepShard.read(message.body) for message in world.queue.messages]
    assert begun.shards == 16
    assert [each.shard for each in shards] == list(range(16))
    assert {each.until for each in shards} == {world.clock.now()}
    assert world.clock.now() - shards[0].begun == timedelta()
