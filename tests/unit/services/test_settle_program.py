"""Everybody in a program is attended to when its terms change: the index follows at once (R72, R169, R183)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from loyalty.contracts.forms import filled_in
from loyalty.contracts.settings import SettingsForm, settings_form
from loyalty.contracts.sweeps import ProgramToSettle, SweepShard
from loyalty.domain.errors import Conflict, Invalid, NotFound, Outdated, Transient
from loyalty.domain.identity import Address, MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Earn
from loyalty.domain.ledger.expiry import AfterEarning, NoExpiry, Period
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from loyalty.ports import Redirect
from loyalty.services import settle_program
from loyalty.services.keep_settings import SETTLE_DELAY, KeepSettings
from loyalty.services.posting import Ledger
from loyalty.services.settle_program import AttendToMessage, ProgramSettled, SettleProgram
from loyalty.services.sweep_due import SweepDue, Swept
from tests.builders import a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_due import MemoryDueIndex
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue

UNDATED = Terms(expiry=NoExpiry(), warning_days=(30, 3))
MEMBERS = 7


class TornLedger(MemoryLedger):
    """A store in which some members cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[MemberId, Exception] = {}

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        if reason := self.reasons.get(member_id):
            raise reason
        return super().find(program, member_id)


class TickingClock(FixedClock):
    """A clock on which a second goes by whenever somebody looks at it, once it is told to tick."""

    ticks = 0

    def now(self) -> datetime:
        self.advance(seconds=self.ticks)
        return super().now()


class World:
    """Seven members with points that never expire, and the worker."""

    def __init__(self) -> None:
        self.clock = TickingClock()
        self.store, self.queue = TornLedger(), MemoryQueue()
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())
        self.program = a_program(terms=UNDATED)
        self.programs, self.index = MemoryPrograms(self.program), MemoryDueIndex(self.store)
        self.told: list[tuple[str, MemberId, Exception]] = []
        for number in range(MEMBERS):
            address = Address("email", f"customer{number}@klaviyo-demo.com")
            self.ledger.post(self.program, address, a_command(Earn(10), at=self.clock.now()), newcomer=True)
        self.settle = SettleProgram(
            programs=self.programs,
            ledger=self.ledger,
            index=self.index,
            roster=self.store,
            queue=self.queue,
            clock=self.clock,
            failed=lambda slug, member_id, error: self.told.append((slug, member_id, error)),
        )

    def replace(self, program: Program) -> None:
        """What storing settings does."""
        self.program = self.programs.programs[program.slug] = program

    def turn_expiry_on(self) -> None:
        policy = AfterEarning(Period(days=60))
        self.replace(replace(self.program, terms=self.program.terms.with_expiry(policy, self.clock.now().date())))

    def run(self, *, seconds: float = 600, after: str = "") -> ProgramSettled:
        return self.settle(ProgramToSettle(program=self.program.slug, after=after), seconds=seconds)

    @property
    def ids(self) -> list[MemberId]:
        return self.store.ids(self.program.slug, after="", limit=100)


@pytest.fixture
def world() -> World:
    return World()


def test_expiry_that_is_turned_on_dates_the_points_of_everybody(world: World) -> None:
    """R183: members nobody would have looked at are warned and lose points like others."""
    world.turn_expiry_on()
    assert world.store.due == {}
    report = world.run()
    assert (report.members, report.acted, report.failed, report.message) == (7, 7, 0, "program settled")
    assert report.counts == {"SettledMembers": 7, "DueActs": 7, "DueFailed": 0}
    assert report.ids == {"program": "candles"}
    assert len(world.store.due) == MEMBERS
    assert {tuple(world.store.stored[world.program.slug, each].lots) for each in world.ids} == {("2026-05-01",)}  # type: ignore[union-attr]
    assert world.run().acted == 0


def test_what_is_left_when_time_ends_goes_on_in_messages_of_its_own(world: World) -> None:
    world.turn_expiry_on()
    world.clock.ticks = 1
    reports = [world.run(seconds=6)]
    while world.queue.messages:
        work = ProgramToSettle.read(world.queue.messages.pop().body)
        assert work is not None
        reports.append(world.settle(work, seconds=6))
    assert len(reports) > 2
    assert [report.continues for report in reports] == [True] * (len(reports) - 1) + [False]
    assert reports[0].message == "program settled in part"
    assert [sum(report.members for report in reports), len(world.store.due)] == [MEMBERS, MEMBERS]


def test_terms_that_change_again_hold_from_the_next_page_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """R183: a walk through many members does not end under terms that are gone."""
    monkeypatch.setattr(settle_program, "PAGE", 3)
    world.turn_expiry_on()
    first, ids = world.ids[:3], world.store.ids

    def second_thoughts(program: ProgramSlug, *, after: str, limit: int) -> list[MemberId]:
        if after:
            world.replace(replace(world.program, terms=UNDATED))
        return ids(program, after=after, limit=limit)

    monkeypatch.setattr(world.store, "ids", second_thoughts)
    assert world.run().acted == 3
    assert {member_id for _, member_id in world.store.due} == set(first)


@pytest.mark.parametrize("error", [KeyError("available"), Conflict("busy")])
def test_a_member_that_cannot_be_attended_to_holds_up_nobody(world: World, error: Exception) -> None:
    world.turn_expiry_on()
    world.store.reasons[world.ids[2]] = error
    report = world.run()
    assert (report.members, report.failed) == (6, 1)
    assert [(slug, member_id) for slug, member_id, _ in world.told] == [("candles", world.ids[2])]


def test_storage_out_of_reach_has_it_done_again(world: World) -> None:
    world.store.reasons[world.ids[2]] = Transient("Storage is busy.")
    with pytest.raises(Transient):
        world.run()


def test_a_program_that_does_not_exist_is_an_error(world: World) -> None:
    world.programs.programs.clear()
    with pytest.raises(NotFound):
        world.run()


def test_each_message_goes_to_whom_it_is_for(world: World) -> None:
    sweep = SweepDue(
        programs=world.programs,
        ledger=world.ledger,
        index=world.index,
        queue=world.queue,
        clock=world.clock,
        failed=lambda *_: None,
    )
    attend, now = AttendToMessage(sweep, world.settle), world.clock.now()
    shard = SweepShard(shard=0, until=now, begun=now).model_dump_json()
    assert isinstance(attend(shard, seconds=60), Swept)
    assert isinstance(attend(ProgramToSettle(program="candles").model_dump_json(), seconds=60), ProgramSettled)
    with pytest.raises(Invalid, match="not a message of a sweep"):
        attend('{"program": 7}', seconds=60)


def form(program: Program, **changes: object) -> SettingsForm:
    return filled_in(SettingsForm, settings_form(program).model_dump() | changes, "settings")


@pytest.mark.parametrize(
    "changes",
    [
        {"warning_days": [45, 3]},
        {"warned_first": True},
        {"birthday_points": 50},
        {"timezone": "Asia/Tokyo"},
        {"expiry": {"policy": "inactivity", "months": 6, "days": 0}},
    ],
)
def test_a_change_that_moves_due_times_is_announced_before_it_is_stored(
    world: World, changes: dict[str, object]
) -> None:
    """And handed out after that: a message that nobody stored settings for does no harm, a lost one would."""
    keep = KeepSettings(world, world.clock, world.queue)
    world.queue.troubles = 1
    with pytest.raises(Transient):
        keep(world.program, form(world.program, **changes), 1)
    assert world.program.version == 1
    world.queue.messages.clear()
    changed = keep(world.program, form(world.program, **changes), 1)
    (message,) = world.queue.messages
    assert (ProgramToSettle.read(message.body), message.delay) == (ProgramToSettle(program="candles"), SETTLE_DELAY)
    assert world.program is changed


@pytest.mark.parametrize("changes", [{}, {"name": "Wax"}, {"balance_cap": 5}, {"overdraft": "allow_negative"}])
def test_other_changes_are_not(world: World, changes: dict[str, object]) -> None:
    KeepSettings(world, world.clock, world.queue)(world.program, form(world.program, **changes), 1)
    assert world.queue.messages == []


def test_a_change_of_an_outdated_version_is_not_announced(world: World) -> None:
    with pytest.raises(Outdated):
        KeepSettings(world, world.clock, world.queue)(world.program, form(world.program, warning_days=[5]), 2)
    assert world.queue.messages == []
