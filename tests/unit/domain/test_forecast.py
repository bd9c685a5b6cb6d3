"""A forecast says what the sweeps will then do (W11)."""

from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import islice

import pytest

from loyalty.domain.errors import Conflict
from loyalty.domain.ledger.commands import Earn, Identify, Pend, PlaceHold, Spend
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.due import next_act, next_notice
from loyalty.domain.ledger.entry import Entry, EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.forecast import Foreseen, foresee
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import BirthdayRule, Terms
from tests.journey import ENDLESS, Journey, at

TERMS = Terms(timezone="Europe/Berlin", expiry=AfterEarning(Period(days=40)), expiry_revision=1, warning_days=(30, 3))


def foreseen(member: Journey, days: int) -> list[Foreseen]:
    found = list(islice(foresee(member.member, member.terms, member.now, member.now + timedelta(days=days)), ENDLESS))
    assert len(found) < ENDLESS, "what was done is still due"
    return found


def swept(member: Journey, days: int) -> list[Foreseen]:
    """What hourly sweeps really do."""
    came: list[Foreseen] = []
    for _ in range(days * 24):
        while command := next_act(member.member, member.terms, member.now) or next_notice(
            member.member, member.terms, member.now
        ):
            lots = member.lots
            outcome = member.decides(command)
            assert isinstance(outcome, Posting)
            came += told(member._takes(outcome), member.today, lots)
            assert len(came) < ENDLESS, "what was done is still due"
        member.waits(hours=1)
    return came


def told(entry: Entry, today: date, lots: dict[str, int]) -> list[Foreseen]:
    if entry.kind is EntryKind.EXPIRE:
        return [Foreseen(today, None, date.fromisoformat(day), -points) for day, points in entry.effect.lots.items()]
    return [
        Foreseen(today, warned.days, date.fromisoformat(day), lots[day]) for day, warned in entry.effect.warned.items()
    ]


def test_warnings_and_expiry_stand_under_their_days() -> None:
    sarah = Journey(TERMS)
    sarah.does(Earn(100))
    last = date(2026, 4, 11)
    assert foreseen(sarah, 60) == [
        Foreseen(date(2026, 3, 12), 30, last, 100),
        Foreseen(date(2026, 4, 8), 3, last, 100),
        Foreseen(date(2026, 4, 12), None, last, 100),
    ]
    assert foreseen(sarah, 9) == []


def test_what_happens_at_the_very_end_belongs_to_it() -> None:
    """The points are over when 12 April begins in Berlin."""
    sarah = Journey(TERMS)
    sarah.does(Earn(100))
    midnight = at("2026-04-11T22:00")
    until = [list(foresee(sarah.member, TERMS, sarah.now, end)) for end in (midnight - timedelta.resolution, midnight)]
    assert [len(each) for each in until] == [2, 3]


def test_what_is_overdue_stands_under_today() -> None:
    sarah = Journey(TERMS)
    sarah.does(Earn(100))
    sarah.waits(days=50)
    assert foreseen(sarah, 1) == [Foreseen(sarah.today, None, date(2026, 4, 11), 100)]


def test_foreseeing_changes_nothing_and_ends_with_what_never_expires() -> None:
    sarah = Journey(Terms(warning_days=(30, 3)))
    sarah.does(Earn(100))
    before = sarah.member
    assert foreseen(sarah, 10_000) == []
    assert sarah.member is before


def test_points_that_only_come_meanwhile_are_foreseen_too() -> None:
    """Pending points that become available, held ones that come back, and a birthday present expire like others."""
    sarah = Journey(TERMS).under(birthday=BirthdayRule(20))
    sarah.does(Identify({"birthday": "1990-06-15"}, Standing.MEMBER))
    sarah.does(Earn(5))
    sarah.does(PlaceHold("cart", 5, sarah.now + timedelta(days=2)))
    sarah.does(Pend("order", 7, sarah.now + timedelta(days=3)))
    assert [each.points for each in foreseen(sarah, 200) if each.days_left is None] == [5, 7, 20]


def test_a_damaged_member_is_no_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    sarah = Journey(TERMS)
    sarah.does(Earn(100))
    sarah.waits(days=50)
    monkeypatch.setattr("loyalty.domain.ledger.forecast.decide", lambda *_: sarah.refuses(Spend(1000)))
    with pytest.raises(Conflict, match="would be refused") as conflict:
        foreseen(sarah, 1)
    assert conflict.value.facts == {"refusal": "insufficient_points"}


@pytest.mark.parametrize(
    "policy",
    [AfterEarning(Period(days=40)), Inactivity(Period(days=50)), Calendar(4, 30), NoExpiry()],
    ids=lambda policy: type(policy).__name__,
)
@pytest.mark.parametrize("promised", [False, True], ids=["on time", "warned first"])
@pytest.mark.parametrize("seed", range(3))
def test_hourly_sweeps_do_what_was_foreseen(policy: ExpiryPolicy, promised: bool, seed: int) -> None:
    """After random activity, a policy change or two behind it, and however late it begins."""
    chance = random.Random(f"forecast {seed}")
    sarah = Journey(TERMS).under(warned_first=promised)
    for _ in range(12):
        sarah.waits(days=chance.randint(0, 9), hours=chance.randint(0, 23))
        sarah.settles()
        sarah.does(Earn(chance.randint(1, 90)))
        if chance.random() < 0.4:
            sarah.does(Spend(chance.randint(1, sarah.amounts.available)))
        if chance.random() < 0.2:
            sarah.under(expiry=policy)
    sarah.under(expiry=policy).waits(days=chance.choice([0, 0, 5, 45]))
    said = foreseen(sarah, 370)
    assert said == swept(sarah, 370)
    assert said or isinstance(policy, NoExpiry)
