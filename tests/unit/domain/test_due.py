"""Due acts: what comes when, in which order, and under which keys (R165, R175, W7)."""

from datetime import datetime, timedelta

import pytest

from loyalty.domain.ledger.commands import Earn, MergeOut, Pend, PlaceHold, Reverse, Spend
from loyalty.domain.ledger.due import next_act, next_due
from loyalty.domain.ledger.entry import EntryKind, Source
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.terms import Terms
from tests.fakes.clocks import START
from tests.journey import Journey, at

MONTH = AfterEarning(Period(days=30))
EXPIRING = Terms(expiry=MONTH)


def kinds(journey: Journey) -> list[str]:
    """What is due, in the order in which it is posted."""
    return [entry.effect.topic or entry.kind.value for entry in journey.settles()]


def test_a_member_with_nothing_dated_needs_no_attention() -> None:
    sarah = Journey()
    sarah.does(Earn(5))
    assert next_due(sarah.member, sarah.terms) is None
    assert next_act(sarah.member, sarah.terms, at("2099-01-01")) is None


def test_attention_is_due_at_the_earliest_of_all_times() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(5))
    assert next_due(sarah.member, sarah.terms) == at("2026-04-02")
    sarah.does(PlaceHold("cart", 1, at("2026-03-20")))
    assert next_due(sarah.member, sarah.terms) == at("2026-03-20")
    sarah.does(Pend("order", 1, at("2026-03-10")))
    assert next_due(sarah.member, sarah.terms) == at("2026-03-10")
    sarah.does(MergeOut("bill"))
    assert next_due(sarah.member, sarah.terms) is None


@pytest.mark.parametrize(
    ("timezone", "over"),
    [
        ("UTC", "2026-04-02T00:00"),
        ("Europe/Berlin", "2026-04-01T22:00"),
        ("Pacific/Auckland", "2026-04-01T11:00"),
        ("America/Los_Angeles", "2026-04-02T07:00"),
    ],
)
def test_points_can_be_used_until_the_end_of_their_day_in_the_programs_time_zone(timezone: str, over: str) -> None:
    """R175. Earned at noon UTC on 2 March, which is the 3rd in Auckland: each has its own thirtieth day."""
    sarah = Journey(Terms(expiry=Calendar(4, 1), timezone=timezone))
    sarah.does(Earn(5))
    assert next_due(sarah.member, sarah.terms) == at(over)
    sarah.now = at(over) - timedelta(milliseconds=1)
    assert kinds(sarah) == []
    sarah.now = at(over)
    assert kinds(sarah) == ["expire"]


def test_a_due_act_says_who_did_it_when_and_why() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(5))
    sarah.does(Earn(7))
    sarah.does(Pend("order", 9, at("2026-03-10T08:00")))
    sarah.now = at("2026-04-20T10:00")
    activated, expired = sarah.settles()
    assert (activated.source, activated.actor, activated.event_type) == (Source("schedule"), "tallyhook", "")
    assert (activated.occurred_at, activated.recorded_at) == (at("2026-03-10T08:00"), sarah.now)
    assert (expired.event_type, expired.occurred_at, expired.points) == ("points_expired", sarah.now, -12)


def test_due_acts_have_natural_keys_that_name_the_state_they_are_due_on() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(5))
    sarah.now = at("2026-04-02")
    act = next_act(sarah.member, sarah.terms, sarah.now)
    assert act is not None
    assert (act.key.scope, act.key.natural, act.key.value) == ("expire", True, "sarah|2026-04-01|1")
    sarah.settles()
    sarah.does(Pend("order", 9, sarah.now))
    act = next_act(sarah.member, sarah.terms, sarah.now)
    assert act is not None
    assert (act.key.scope, act.key.natural, act.key.value) == ("activate", True, "sarah|order|3")
    sarah.settles()
    sarah.does(PlaceHold("cart", 9, sarah.now))
    act = next_act(sarah.member, sarah.terms, sarah.now)
    assert act is not None
    assert (act.key.scope, act.key.natural, act.key.value) == ("release", True, "sarah|cart|5")
    sarah.settles()
    sarah.under(expiry=NoExpiry())
    act = next_act(sarah.member, sarah.terms, sarah.now)
    assert act is not None
    assert (act.key.scope, act.key.natural, act.key.value) == ("redate", True, "sarah|1|6")


@pytest.mark.parametrize(("late", "due"), [(timedelta(0), True), (-timedelta(milliseconds=1), False)])
def test_claims_end_at_their_time(late: timedelta, *, due: bool) -> None:
    """R165, W7: activated and released on time, not before."""
    for action, ends in (
        (Pend("x", 5, at("2026-03-05")), "activate"),
        (PlaceHold("x", 5, at("2026-03-05")), "release"),
    ):
        sarah = Journey()
        sarah.does(Earn(5))
        sarah.does(action)
        sarah.now = at("2026-03-05") + late
        assert kinds(sarah) == ([ends] if due else [])


def test_claims_end_in_the_order_of_their_times() -> None:
    sarah = Journey()
    sarah.does(Earn(9))
    sarah.does(Pend("a", 1, at("2026-03-07")))
    sarah.does(PlaceHold("b", 2, at("2026-03-05")))
    sarah.does(Pend("c", 4, at("2026-03-06")))
    sarah.does(PlaceHold("d", 8 - 1, at("2026-03-08")))
    sarah.now = at("2026-03-07T12:00")
    assert [list(entry.effect.closed) for entry in sarah.settles()] == [["b"], ["c"], ["a"]]


def test_points_that_were_over_first_make_room_under_the_balance_cap() -> None:
    """The old points expired on 2 April, the order's became due on the 5th: all of them fit."""
    sarah = Journey(Terms(expiry=MONTH, balance_cap=100))
    sarah.does(Earn(80))
    sarah.does(Pend("order", 60, at("2026-04-05")))
    sarah.waits(days=10).does(Earn(20))
    sarah.now = at("2026-04-20")
    entries = sarah.settles()
    assert [(entry.kind, entry.points) for entry in entries] == [
        (EntryKind.EXPIRE, -80),
        (EntryKind.ACTIVATE, 60),
        (EntryKind.EXPIRE, -20),
    ]


def test_points_that_were_over_later_come_after_a_claim_that_was_due_before() -> None:
    sarah = Journey(Terms(expiry=MONTH, balance_cap=100))
    sarah.does(Earn(80))
    sarah.does(Pend("order", 60, at("2026-03-20")))
    sarah.now = at("2026-04-20")
    assert [(entry.kind, entry.points) for entry in sarah.settles()] == [
        (EntryKind.ACTIVATE, 20),
        (EntryKind.EXPIRE, -80),
    ]


def test_at_the_same_instant_expiry_comes_first() -> None:
    """The day is over when the next one begins."""
    sarah = Journey(Terms(expiry=MONTH, balance_cap=80))
    sarah.does(Earn(80))
    sarah.does(Pend("order", 60, at("2026-04-02")))
    sarah.now = at("2026-04-02")
    assert [entry.points for entry in sarah.settles()] == [-80, 60]


def test_all_lots_that_are_over_expire_together() -> None:
    sarah = Journey(EXPIRING)
    for points in (1, 2, 4):
        sarah.does(Earn(points))
        sarah.waits(days=1)
    sarah.now = at("2026-04-03T12:00")
    (expired,) = sarah.settles()
    assert expired.effect.lots == {"2026-04-01": -1, "2026-04-02": -2}
    assert sarah.lots == {"2026-04-03": 4}


def test_an_activation_keeps_an_inactive_balance_alive_if_it_came_in_time() -> None:
    """Trap 2. The balance was good until 1 April, the order became due on the 1st, the sweep came on the 20th."""
    sarah = Journey(Terms(expiry=Inactivity(Period(days=30))))
    sarah.does(Earn(80))
    sarah.does(Pend("order", 60, at("2026-04-01T23:00")))
    sarah.now = at("2026-04-20")
    assert kinds(sarah) == ["activate"]
    assert sarah.lots == {"2026-05-20": 140}


def after_policy_changes(*changes: tuple[str, object], earned_under: object = None) -> Journey:
    """Thirty points earned on 2 March, and policies set on later days while nobody looked at the member."""
    sarah = Journey(Terms(expiry=earned_under or NoExpiry()))  # type: ignore[arg-type]
    sarah.does(Earn(30))
    for day, policy in changes:
        sarah.now = at(f"{day}T12:00")
        sarah.under(expiry=policy)
    return sarah


@pytest.mark.parametrize("policy", [MONTH, Inactivity(Period(days=30)), Calendar(4, 9)])
def test_turning_expiry_on_starts_the_clock_on_that_day(policy: AfterEarning | Inactivity | Calendar) -> None:
    """Trap 3: nothing expires at once, everything expires in the end."""
    sarah = after_policy_changes(("2026-03-10", policy))
    assert kinds(sarah) == ["redated"]
    assert sarah.lots == {"2026-04-09": 30}
    sarah.now = at("2026-04-10")
    assert kinds(sarah) == ["expire"]


def test_turning_expiry_on_counts_from_that_day_however_late_the_member_is_looked_at() -> None:
    sarah = after_policy_changes(("2026-03-10", MONTH))
    sarah.now = at("2026-06-01")
    assert kinds(sarah) == ["redated", "expire"]


def test_turning_expiry_off_keeps_what_is_there() -> None:
    """R183."""
    sarah = after_policy_changes(("2026-03-20", NoExpiry()), earned_under=MONTH)
    sarah.now = at("2027-01-01")
    assert kinds(sarah) == ["redated"]
    assert sarah.lots == {NEVER: 30}


def test_turning_expiry_off_brings_nothing_back() -> None:
    """Trap 3: the points of 1 April were over on the 10th, although nobody had posted that; the others were not."""
    sarah = Journey(EXPIRING)
    sarah.does(Earn(30))
    sarah.now = at("2026-03-21T12:00")
    sarah.does(Earn(2))
    sarah.now = at("2026-04-10T12:00")
    sarah.under(expiry=NoExpiry())
    assert kinds(sarah) == ["expire", "redated"]
    assert (sarah.lots, sarah.amounts.expired) == ({NEVER: 2}, 30)


def test_shortening_expires_nothing_early() -> None:
    sarah = after_policy_changes(("2026-03-10", AfterEarning(Period(days=3))), earned_under=MONTH)
    assert kinds(sarah) == []
    assert sarah.lots == {"2026-04-01": 30}


def test_lengthening_gives_the_whole_new_period_from_the_day_of_the_change() -> None:
    sarah = after_policy_changes(("2026-03-10", AfterEarning(Period(days=60))), earned_under=MONTH)
    assert kinds(sarah) == ["redated"]
    assert sarah.lots == {"2026-05-09": 30}


def test_points_that_would_have_lived_through_a_pause_of_expiry_do() -> None:
    """Off on 20 March and on again on 10 April: the points dated 1 April had no date in between."""
    sarah = after_policy_changes(("2026-03-20", NoExpiry()), ("2026-04-10", MONTH), earned_under=MONTH)
    assert kinds(sarah) == ["redated", "redated"]
    assert sarah.lots == {"2026-05-10": 30}


def test_points_that_were_over_before_a_pause_of_expiry_are_gone() -> None:
    sarah = after_policy_changes(("2026-04-05", NoExpiry()), ("2026-04-10", MONTH), earned_under=MONTH)
    assert kinds(sarah) == ["expire"]


def test_points_between_two_changes_expire_in_between() -> None:
    """On with ten days on 10 March, changed to thirty on the 25th: the points were over on the 20th."""
    sarah = after_policy_changes(("2026-03-10", AfterEarning(Period(days=10))), ("2026-03-25", MONTH))
    assert kinds(sarah) == ["redated", "expire"]


def test_several_changes_on_one_day_add_up_to_the_kindest() -> None:
    sarah = after_policy_changes(
        ("2026-03-10", MONTH), ("2026-03-10", AfterEarning(Period(days=3))), ("2026-03-10", Inactivity(Period(days=9)))
    )
    assert kinds(sarah) == ["redated"]
    assert sarah.lots == {"2026-04-09": 30}


def test_points_of_the_day_of_the_change_take_part_in_it() -> None:
    sarah = after_policy_changes(("2026-04-01", NoExpiry()), earned_under=MONTH)
    assert kinds(sarah) == ["redated"]


def test_a_change_dated_tomorrow_by_a_move_of_time_zones_expires_nothing_today() -> None:
    """Set on 2 April in Auckland, read in Los Angeles, where it is still the 1st."""
    sarah = Journey(EXPIRING)
    sarah.does(Earn(35))
    sarah.waits(days=3).does(Earn(7))
    sarah.now = at("2026-04-01T20:00")
    sarah.under(timezone="Pacific/Auckland").under(expiry=NoExpiry()).under(timezone="America/Los_Angeles")
    assert kinds(sarah) == ["redated"]
    assert sarah.lots == {"2026-04-01": 35, NEVER: 7}
    sarah.now = at("2026-04-02T07:00")
    assert kinds(sarah) == ["expire"]


def test_with_changes_to_follow_claims_wait_until_the_lots_have_followed() -> None:
    sarah = Journey()
    sarah.does(Earn(30))
    sarah.does(Pend("order", 5, at("2026-03-05")))
    sarah.now = at("2026-03-10T12:00")
    sarah.under(expiry=MONTH)
    assert kinds(sarah) == ["redated", "activate"]
    assert sarah.lots == {"2026-04-09": 35}


def test_settling_twice_posts_nothing_new() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(30))
    sarah.does(Pend("order", 5, at("2026-03-05")))
    sarah.now = at("2026-08-01")
    assert kinds(sarah) == ["activate", "expire"]
    assert kinds(sarah) == []


@pytest.mark.parametrize("when", [START, at("2026-04-01T23:59:59.999")])
def test_points_given_back_on_their_last_day_are_usable_that_day(when: datetime) -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(30))
    original = sarah.does(Spend(30))
    sarah.now = when
    sarah.does(Reverse(original))
    assert sarah.lots == {"2026-04-01": 30}
    assert kinds(sarah) == []


def test_a_merged_away_member_has_nothing_due() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(30))
    sarah.does(MergeOut("bill"))
    sarah.under(expiry=NoExpiry())
    assert next_act(sarah.member, sarah.terms, at("2030-01-01")) is None
