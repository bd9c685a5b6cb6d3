"""What a member lives through because time passes, sweep by sweep (R67, R72, R165, R175, R183)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty.contracts.sweeps import SweepShard
from loyalty.domain.ledger import due
from loyalty.domain.ledger.commands import Activate, Command, CommandKey, Earn, Identify, Narrative, Pend, Spend
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.ports import QueueMessage
from loyalty.services.foresee_expiry import ForeseeExpiry
from loyalty.services.open_program import OpenProgram
from loyalty.services.settle_members import SettleMembers
from loyalty.services.sweep_due import SweepDue
from tests.builders import SARAH
from tests.fakes.clocks import START, SeededRandomness
from tests.fakes.memory_due import MemoryDueIndex
from tests.fakes.memory_programs import MemoryPrograms
from tests.journey import at
from tests.worlds import World

SIXTY_DAYS = AfterEarning(Period(days=60))
"""Points of 2 March, when these stories begin, are good until 1 May."""

Told = tuple[str, str, int]
"""On which day Klaviyo is to hear of which event, about how many points."""


class Story(World):
    """Sarah, a program, and sweeps every six hours, each of them twice."""

    def __init__(self, **terms: Any) -> None:
        super().__init__()
        usual = Terms(expiry=SIXTY_DAYS, expiry_revision=1, warning_days=(30, 3))
        self.program = replace(self.program, terms=replace(usual, **terms))
        self.index = MemoryDueIndex(self.store)
        self.queue: list[QueueMessage] = []

    def send(self, messages: Sequence[QueueMessage]) -> None:
        self.queue += messages

    def sweep(self) -> None:
        now = self.clock.now()
        sweep = SweepDue(
            programs=MemoryPrograms(self.program),
            ledger=self.ledger,
            index=self.index,
            queue=self,
            clock=self.clock,
            failed=lambda _, error: pytest.fail(repr(error)),
        )
        sweep(SweepShard(shard=0, until=now, begun=now).model_dump_json(), seconds=60)

    def settle(self) -> None:
        """What an operator runs after a change of terms."""
        members = [member_id for _, member_id in list(self.store.stored)]
        assert [each.error for each in SettleMembers(self.ledger, self.index)(self.program, members)] == [None]

    def under(self, **terms: Any) -> None:
        """Put other terms in force and settle."""
        present, expiry = self.program.terms, terms.pop("expiry", None)
        changed = replace(present, **terms)
        if expiry is not None:
            changed = changed.with_expiry(expiry, self.clock.now().date())
        self.program = replace(self.program, terms=changed)
        self.settle()

    def sleeps(self, until: str) -> None:
        """Let time pass without sweeps."""
        self.clock.time = at(until)

    def lives(self, until: str) -> list[Told]:
        """Let time pass; what has been told by then, ever."""
        while self.clock.time < at(until):
            self.clock.advance(hours=6)
            self.sweep()
            self.sweep()
        assert self.queue == []
        return [told_by(entry) for entry in self.scheduled() if entry.event_type]

    def scheduled(self) -> list[Entry]:
        """What time did, and nobody asked for."""
        return [entry for entry in self.store.journal(self.program.slug, self.sarah.member_id) if is_scheduled(entry)]

    @property
    def sarah(self) -> Member:
        member = self.ledger.find(self.program, SARAH)
        assert member is not None
        return member


def is_scheduled(entry: Entry) -> bool:
    return entry.source == due.SCHEDULE


def told_by(entry: Entry) -> Told:
    points = entry.private.details["points"] if entry.effect.warned and entry.private else abs(entry.points)
    return entry.recorded_at.date().isoformat(), entry.event_type, int(points)


def test_points_are_announced_at_each_threshold_and_expire_each_once() -> None:
    """R67: one event thirty days before and one three days before, none again however often sweeps come by."""
    story = Story()
    story.does(SARAH, Earn(100))
    assert story.lives("2026-07-01") == [
        ("2026-04-01", "points_expiring", 100),
        ("2026-04-28", "points_expiring", 100),
        ("2026-05-02", "points_expired", 100),
    ]


@pytest.mark.parametrize("activity", [Earn(5), Spend(5)])
def test_activity_that_moves_the_date_cancels_the_warning_that_was_to_come(activity: Earn | Spend) -> None:
    """R67: the last chance of 28 April is not told, for on the 20th the customer came back; new dates are warned of."""
    story = Story(expiry=Inactivity(Period(days=60)))
    story.does(SARAH, Earn(100))
    story.lives("2026-04-20")
    story.does(SARAH, activity)
    left = story.sarah.amounts.available
    assert story.lives("2026-07-01") == [
        ("2026-04-01", "points_expiring", 100),
        ("2026-05-20", "points_expiring", left),
        ("2026-06-16", "points_expiring", left),
        ("2026-06-20", "points_expired", left),
    ]


def test_a_warning_names_the_points_that_are_left_by_then_and_none_is_given_of_none() -> None:
    """R67: sixty points were spent after the first warning, and the rest before the second."""
    story = Story(warning_days=(30, 14, 3))
    story.does(SARAH, Earn(100))
    story.lives("2026-04-02")
    story.does(SARAH, Spend(60))
    story.lives("2026-04-20")
    story.does(SARAH, Spend(40))
    assert story.lives("2026-07-01") == [
        ("2026-04-01", "points_expiring", 100),
        ("2026-04-17", "points_expiring", 40),
    ]


def test_a_program_that_sets_no_thresholds_warns_thirty_and_three_days_before() -> None:
    """R72."""
    programs = MemoryPrograms()
    opened = OpenProgram(programs, Story().clock, SeededRandomness())("candles", "Candle Club")
    assert opened.terms.warning_days == (30, 3)


def test_thresholds_that_are_changed_count_from_then_on() -> None:
    """R72: thirty days were told before the change; afterwards it is fourteen and one, and never three."""
    story = Story()
    story.does(SARAH, Earn(100))
    story.lives("2026-04-10")
    story.under(warning_days=(14, 1))
    assert story.lives("2026-07-01") == [
        ("2026-04-01", "points_expiring", 100),
        ("2026-04-17", "points_expiring", 100),
        ("2026-04-30", "points_expiring", 100),
        ("2026-05-02", "points_expired", 100),
    ]


def test_after_a_week_without_sweeps_one_threshold_is_told_for_a_date_and_not_two() -> None:
    """R67, R72: ten days and seven days before have both passed; only the nearer one is news."""
    story = Story(warning_days=(10, 7))
    story.does(SARAH, Earn(100))
    story.lives("2026-04-20")
    story.sleeps("2026-04-27")
    assert story.lives("2026-07-01") == [
        ("2026-04-27", "points_expiring", 100),
        ("2026-05-02", "points_expired", 100),
    ]


def test_with_the_promise_of_a_warning_points_outlive_a_sweep_that_was_down() -> None:
    """R72: the last chance of 28 April came on 10 May, so the points were good until the 13th."""
    story = Story(warned_first=True)
    story.does(SARAH, Earn(100))
    story.lives("2026-04-20")
    story.sleeps("2026-05-10")
    assert story.lives("2026-07-01") == [
        ("2026-04-01", "points_expiring", 100),
        ("2026-05-10", "points_expiring", 100),
        ("2026-05-14", "points_expired", 100),
    ]


@pytest.mark.parametrize("how", ["shipped", "sweep", "late sweep"])
def test_order_points_wait_until_they_are_shipped_or_their_days_are_over_and_come_once(how: str) -> None:
    """R165: pending when the order is placed, available when it is shipped or after fourteen days."""
    story = Story()
    story.does(SARAH, Pend("order-7", 70, START + timedelta(days=14)))
    story.lives("2026-03-10")
    assert (story.sarah.amounts.available, story.sarah.amounts.pending) == (0, 70)
    if how == "shipped":
        story.does(SARAH, Activate("order-7"))
    if how == "late sweep":
        story.sleeps("2026-03-30")
    story.lives("2026-04-01")
    assert story.sarah.amounts.non_zero() == {"available": 70, "earned": 70}
    assert len([entry for entry in story.scheduled() if entry.effect.closed]) == (how != "shipped")


@pytest.mark.parametrize(
    ("policy", "over"),
    [
        (AfterEarning(Period(days=60)), "2026-05-02"),
        (AfterEarning(Period(months=2)), "2026-05-03"),
        (Inactivity(Period(days=60)), "2026-05-02"),
        (Calendar(5, 1), "2026-05-02"),
        (Calendar(3, 10, keep_days=20), "2027-03-11"),
    ],
    ids=str,
)
def test_points_of_every_policy_leave_the_balance_once_after_their_last_day(policy: ExpiryPolicy, over: str) -> None:
    """R175."""
    story = Story(expiry=policy, warning_days=())
    story.does(SARAH, Earn(100))
    assert story.lives("2027-06-01") == [(over, "points_expired", 100)]
    assert story.sarah.amounts.non_zero() == {"earned": 100, "expired": 100}


def test_with_expiry_off_nothing_is_announced_and_nothing_expires() -> None:
    """R183, whatever the thresholds are."""
    story = Story(expiry=NoExpiry())
    story.does(SARAH, Earn(100))
    assert story.lives("2028-01-01") == []
    assert story.scheduled() == []
    assert story.sarah.amounts.available == 100


def test_expiry_that_is_turned_off_ends_warnings_too_and_turned_on_again_begins_anew() -> None:
    """R183: from 1 June on the points have sixty days again."""
    story = Story()
    story.does(SARAH, Earn(100))
    story.lives("2026-04-10")
    story.under(expiry=NoExpiry())
    assert story.lives("2026-06-01")[1:] == []
    story.under(expiry=SIXTY_DAYS)
    assert story.lives("2026-09-01")[1:] == [
        ("2026-07-01", "points_expiring", 100),
        ("2026-07-28", "points_expiring", 100),
        ("2026-08-01", "points_expired", 100),
    ]


def fails(_: object, error: Exception) -> None:
    raise error


def joins_on(member: Member, terms: Terms) -> datetime | None:
    """A kind of this test: customers who were noticed become members after thirty days."""
    is_candidate = member.standing is Standing.CANDIDATE and member.created_at
    return member.created_at + timedelta(days=30) if is_candidate and member.created_at else None


def joining(member: Member, terms: Terms, now: datetime) -> Command | None:
    when = joins_on(member, terms)
    if when is None or when > now:
        return None
    story = Narrative(due.SCHEDULE, due.ACTOR, now, "Thirty days", event_type="member_joined")
    return Command(CommandKey("join", member.member_id, natural=True), Identify({}, Standing.MEMBER), story)


def test_a_kind_that_is_registered_is_swept_settled_and_foreseen_by_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As docs/scheduled-work.md says: two functions, and nothing that sweeps, settles or foresees knows of them."""
    monkeypatch.setattr(due, "DUE_KINDS", (*due.DUE_KINDS, joins_on))
    monkeypatch.setattr(due, "NOTICES", (*due.NOTICES, joining))
    story = Story(expiry=NoExpiry())
    story.program = replace(story.program, newcomers=Standing.CANDIDATE)
    story.does(SARAH, Earn(5))
    foreseen = ForeseeExpiry(story.store, story.clock, fails)(
        story.program, [story.sarah.member_id], at("2027-01-01").date()
    )
    assert list(foreseen) == []
    assert story.lives("2026-04-01") == []
    assert story.lives("2026-06-01") == [("2026-04-01", "member_joined", 0)]
    assert story.sarah.standing is Standing.MEMBER


def test_a_kind_that_is_registered_later_reaches_members_by_settling_them(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(expiry=NoExpiry())
    story.program = replace(story.program, newcomers=Standing.CANDIDATE)
    story.does(SARAH, Earn(5))
    assert story.lives("2026-06-01") == []
    monkeypatch.setattr(due, "DUE_KINDS", (*due.DUE_KINDS, joins_on))
    monkeypatch.setattr(due, "NOTICES", (*due.NOTICES, joining))
    story.settle()
    assert story.lives("2026-06-02") == [("2026-06-01", "member_joined", 0)]
