"""Points that go out: spend, hold, capture, release, expire (R46, R172, R175, W2, W3, W7)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import Adjust, Capture, Earn, Expire, PlaceHold, Release, Spend, Warn
from loyalty.domain.ledger.entry import EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Hold, Standing
from loyalty.domain.ledger.terms import Overdraft, Terms
from tests.fakes.clocks import START
from tests.journey import Journey, at
from tests.standings import in_standing

MONTH = AfterEarning(Period(days=30))
EXPIRING = Terms(expiry=MONTH)
SOON = START + timedelta(days=3)


def with_three_lots() -> Journey:
    """Ten points until 1 April, twenty until the 2nd, thirty until the 3rd; it is 4 March."""
    sarah = Journey(EXPIRING)
    for points in (10, 20, 30):
        sarah.does(Earn(points))
        sarah.waits(days=1)
    return sarah.waits(days=-1)


def test_spending_takes_the_soonest_expiring_points() -> None:
    """W3."""
    sarah = with_three_lots()
    entry = sarah.does(Spend(25))
    assert (entry.kind, entry.points, entry.effect.lots) == (
        EntryKind.SPEND,
        -25,
        {"2026-04-01": -10, "2026-04-02": -15},
    )
    assert sarah.amounts == Amounts(available=35, earned=60, spent=25)
    assert sarah.member.last_activity_at == sarah.now


def test_all_points_can_be_spent_and_not_one_more() -> None:
    """W2, R172."""
    sarah = with_three_lots()
    refusal = sarah.refuses(Spend(61))
    assert refusal.code == "insufficient_points"
    assert refusal.message == "The member has 60 points available, fewer than the 61 asked for."
    assert refusal.facts == {"available": 60, "points": 61}
    sarah.does(Spend(60))
    assert (sarah.amounts.available, sarah.lots) == (0, {})


def test_nobody_spends_on_credit_even_where_debts_are_allowed() -> None:
    """The overdraft terms are for what is taken back, not for shopping."""
    sarah = Journey(Terms(overdraft=Overdraft.ALLOW_NEGATIVE))
    sarah.does(Earn(5))
    assert sarah.refuses(Spend(6)).code == "insufficient_points"
    assert sarah.refuses(PlaceHold("cart", 6, SOON)).code == "insufficient_points"
    sarah.does(Adjust(-10))
    assert sarah.refuses(Spend(1)).facts == {"available": -5, "points": 1}


def test_held_points_leave_their_lots_and_cannot_be_spent_again() -> None:
    """R43, W7: available is what lots hold."""
    sarah = with_three_lots()
    active = sarah.member.last_activity_at
    entry = sarah.waits(hours=1).does(PlaceHold("cart-1", 25, SOON))
    assert (entry.kind, entry.points) == (EntryKind.HOLD, -25)
    assert sarah.amounts == Amounts(available=35, held=25, earned=60)
    assert sarah.lots == {"2026-04-02": 5, "2026-04-03": 30}
    assert sarah.member.holds == {"cart-1": Hold(25, {"2026-04-01": 10, "2026-04-02": 15}, SOON)}
    assert sarah.refuses(Spend(36)).code == "insufficient_points"
    assert sarah.refuses(PlaceHold("cart-2", 36, SOON)).facts == {"available": 35, "points": 36}
    assert sarah.member.last_activity_at == active


def test_a_captured_hold_is_spent() -> None:
    sarah = with_three_lots()
    sarah.does(PlaceHold("cart-1", 25, SOON))
    entry = sarah.waits(hours=1).does(Capture("cart-1"))
    assert (entry.kind, entry.points, entry.effect.lots) == (EntryKind.CAPTURE, -25, {})
    assert entry.effect.consumed == {"2026-04-01": 10, "2026-04-02": 15}
    assert entry.effect.closed == {"cart-1": 25}
    assert sarah.amounts == Amounts(available=35, earned=60, spent=25)
    assert (sarah.member.holds, sarah.member.last_activity_at) == ({}, sarah.now)


def test_a_hold_captured_in_part_spends_the_soonest_and_gives_back_the_rest() -> None:
    sarah = with_three_lots()
    sarah.does(PlaceHold("cart-1", 25, SOON))
    entry = sarah.does(Capture("cart-1", 7))
    assert (entry.points, entry.effect.lots) == (-7, {"2026-04-01": 3, "2026-04-02": 15})
    assert entry.effect.consumed == {"2026-04-01": 7}
    assert sarah.amounts == Amounts(available=53, earned=60, spent=7)
    assert sarah.lots == {"2026-04-01": 3, "2026-04-02": 20, "2026-04-03": 30}


def test_the_smallest_and_the_whole_amount_can_be_captured() -> None:
    for points in (1, 25):
        sarah = with_three_lots()
        sarah.does(PlaceHold("cart-1", 25, SOON))
        assert sarah.does(Capture("cart-1", points)).effect.change.spent == points
        assert sarah.amounts.available == 60 - points


@pytest.mark.parametrize("points", [0, -1, 26])
def test_no_more_is_captured_than_is_held(points: int) -> None:
    sarah = with_three_lots()
    sarah.does(PlaceHold("cart-1", 25, SOON))
    refusal = sarah.refuses(Capture("cart-1", points))
    assert refusal.code == "exceeds_hold"
    assert refusal.message == "Between 1 and 25 points of this hold can be captured."
    assert refusal.facts == {"held": 25}


def test_released_points_go_back_to_their_lots() -> None:
    sarah = with_three_lots()
    active, lots = sarah.member.last_activity_at, sarah.lots
    sarah.does(PlaceHold("cart-1", 25, SOON))
    entry = sarah.waits(hours=1).does(Release("cart-1"))
    assert (entry.kind, entry.points, entry.effect.closed) == (EntryKind.RELEASE, 25, {"cart-1": 25})
    assert (sarah.amounts, sarah.lots) == (Amounts(available=60, earned=60), lots)
    assert (sarah.member.holds, sarah.member.last_activity_at) == ({}, active)


@pytest.mark.parametrize("action", [Capture("cart-1"), Release("cart-1")])
def test_a_hold_ends_once(action: Capture | Release) -> None:
    sarah = with_three_lots()
    sarah.does(PlaceHold("cart-1", 25, SOON))
    sarah.does(Release("cart-1"))
    refusal = sarah.refuses(action)
    assert refusal.code == "unknown_hold"
    assert refusal.message == "There is no open hold named 'cart-1'."


def test_points_that_come_back_after_their_date_live_for_the_restored_days() -> None:
    sarah = with_three_lots().under(restored_days=10)
    sarah.does(PlaceHold("cart-1", 60, SOON))
    sarah.now = at("2026-04-02T12:00")
    sarah.does(Release("cart-1"))
    assert sarah.lots == {"2026-04-02": 20, "2026-04-03": 30, "2026-04-12": 10}


def test_points_that_come_back_under_inactivity_have_the_date_of_the_balance() -> None:
    """Holding and releasing is no activity, however often: it keeps nothing alive."""
    sarah = Journey(Terms(expiry=Inactivity(Period(days=30))))
    sarah.does(Earn(60))
    for _ in range(3):
        sarah.waits(days=9)
        sarah.does(PlaceHold("cart-1", 60, SOON))
        sarah.does(Release("cart-1"))
    assert sarah.lots == {"2026-04-01": 60}


def test_points_held_while_the_member_was_active_come_back_with_the_new_date() -> None:
    sarah = Journey(Terms(expiry=Inactivity(Period(days=30))))
    sarah.does(Earn(60))
    sarah.does(PlaceHold("cart-1", 20, SOON))
    sarah.waits(days=2).does(Spend(1))
    sarah.waits(days=2).does(Release("cart-1"))
    assert sarah.lots == {"2026-04-03": 59}


def test_points_held_while_inactivity_was_turned_on_come_back_with_its_first_date() -> None:
    """The last activity was on 4 March, the policy began on the 6th."""
    sarah = with_three_lots()
    sarah.does(PlaceHold("cart-1", 60, SOON))
    sarah.waits(days=2).under(expiry=Inactivity(Period(days=27)))
    sarah.waits(days=2).does(Release("cart-1"))
    assert sarah.lots == {"2026-04-02": 30, "2026-04-03": 30}


def test_the_day_of_the_last_activity_is_the_programs_day() -> None:
    terms = Terms(expiry=Inactivity(Period(days=1)), timezone="America/Los_Angeles")
    sarah = Journey(terms, now=at("2026-03-03T07:30"))
    sarah.does(Earn(5))
    sarah.does(PlaceHold("cart-1", 5, SOON))
    sarah.does(Release("cart-1"))
    assert sarah.lots == {"2026-03-03": 5}


def test_points_that_come_back_have_no_date_once_nothing_expires() -> None:
    sarah = with_three_lots()
    sarah.does(PlaceHold("cart-1", 60, SOON))
    sarah.under(expiry=NoExpiry())
    sarah.does(Release("cart-1"))
    assert sarah.lots == {NEVER: 60}


@pytest.mark.parametrize(
    ("policy", "back_on", "dated"),
    [
        (MONTH, "2026-03-20", "2026-04-04"),
        (MONTH, "2026-04-04", "2026-04-04"),
        (MONTH, "2026-04-05", "2026-05-05"),
        (Calendar(12, 31), "2026-03-20", "2026-12-31"),
        (Inactivity(Period(days=30)), "2026-03-20", "2026-04-04"),
    ],
)
def test_undated_points_that_come_back_after_expiry_was_turned_on_get_a_date(
    policy: AfterEarning | Calendar | Inactivity, back_on: str, dated: str
) -> None:
    """Trap 3: the date they would have got on the day of the change, 5 March, had they been there."""
    sarah = Journey()
    sarah.does(Earn(25))
    sarah.does(PlaceHold("cart-1", 25, SOON))
    sarah.now = at("2026-03-05T12:00")
    sarah.under(expiry=policy)
    sarah.now = at(f"{back_on}T12:00")
    sarah.does(Release("cart-1"))
    assert sarah.lots == {dated: 25}


def test_points_that_come_back_pay_a_debt_first_and_keep_the_latest_dates() -> None:
    sarah = with_three_lots().under(overdraft=Overdraft.ALLOW_NEGATIVE)
    sarah.does(PlaceHold("cart-1", 60, SOON))
    sarah.does(Adjust(-45))
    sarah.does(Release("cart-1"))
    assert (sarah.amounts.available, sarah.lots) == (15, {"2026-04-03": 15})


@pytest.mark.parametrize("standing", [Standing.EXCLUDED, Standing.ERASED])
@pytest.mark.parametrize("action", [Capture("cart"), Release("cart"), Expire(date(2026, 4, 2))])
def test_what_was_begun_ends_whoever_the_member_is_by_then(action: Capture, standing: Standing) -> None:
    """An excluded member's open holds close and its points expire like anybody's."""
    sarah = with_three_lots()
    sarah.does(PlaceHold("cart", 15, SOON))
    in_standing(standing, sarah)
    sarah.now = at("2026-04-03T00:00")
    sarah.does(action)


def test_points_expire_after_their_last_day_is_over() -> None:
    """R175: on 2 April nothing through the 2nd may expire, on the 3rd it does, once."""
    sarah = with_three_lots()
    through = Expire(date(2026, 4, 2))
    sarah.now = at("2026-04-02T23:59:59")
    refusal = sarah.refuses(through)
    assert refusal.code == "not_due"
    assert refusal.message == "Points can be spent until the end of their last day."
    entry = sarah.waits(seconds=1).does(through)
    assert (entry.kind, entry.points, entry.effect.lots) == (
        EntryKind.EXPIRE,
        -30,
        {"2026-04-01": -10, "2026-04-02": -20},
    )
    assert sarah.amounts == Amounts(available=30, earned=60, expired=30)
    refusal = sarah.refuses(through)
    assert refusal.code == "nothing_to_expire"
    assert refusal.message == "No points have reached their last day."


def test_points_that_wait_for_their_last_warning_expire_for_nobody_before_its_days_are_over() -> None:
    """R72: the decision itself keeps what the program promises, whoever asks."""
    sarah = Journey(replace(EXPIRING, warning_days=(3,), warned_first=True))
    sarah.does(Earn(5))
    through = Expire(date(2026, 4, 1))
    sarah.now = at("2026-04-10")
    assert sarah.refuses(through).code == "nothing_to_expire"
    sarah.does(Warn("2026-04-01", 3))
    sarah.now = at("2026-04-13")
    assert sarah.refuses(through).code == "nothing_to_expire"
    sarah.now = at("2026-04-14")
    assert sarah.does(through).points == -5


def test_undated_points_do_not_expire() -> None:
    """R183: expiry off."""
    sarah = Journey()
    sarah.does(Earn(5))
    sarah.waits(days=20_000)
    assert sarah.refuses(Expire(sarah.today - timedelta(days=1))).code == "nothing_to_expire"


@pytest.mark.parametrize(
    ("action", "restarts"),
    [(Earn(1), True), (Spend(1), True), (PlaceHold("cart", 1, SOON), False), (Adjust(1), False), (Adjust(-1), False)],
)
def test_only_earning_and_spending_restart_the_inactivity_clock(action: Earn, *, restarts: bool) -> None:
    """Trap 2: an earn or spend moves the whole balance to the new date."""
    sarah = Journey(Terms(expiry=Inactivity(Period(days=30))))
    sarah.does(Earn(10))
    entry = sarah.waits(days=5).does(action)
    whole = {"2026-04-06": sarah.amounts.available}
    assert (sarah.lots == whole) is restarts
    assert bool(entry.effect.redated) is restarts
    assert sarah.member.last_activity_at == (sarah.now if restarts else START)


def test_a_capture_restarts_the_inactivity_clock() -> None:
    sarah = Journey(Terms(expiry=Inactivity(Period(days=30))))
    sarah.does(Earn(10))
    sarah.does(PlaceHold("cart", 4, SOON))
    entry = sarah.waits(days=2).does(Capture("cart"))
    assert (sarah.lots, entry.effect.redated) == ({"2026-04-03": 6}, {"2026-04-01": -6, "2026-04-03": 6})


def test_lots_that_move_together_anyway_do_not_merge_into_weeks_as_well() -> None:
    """A hundred lots on every other day: the earlier half moves to the day of the new points, then there are few."""
    sarah = Journey(Terms(expiry=AfterEarning(Period(days=300))))
    for _ in range(100):
        sarah.does(Earn(1))
        sarah.waits(days=2)
    days = list(sarah.lots)
    between = date.fromisoformat(days[50]) + timedelta(days=1)
    sarah.under(expiry=Inactivity(Period(days=(between - sarah.today).days)))
    entry = sarah.does(Earn(1))
    assert entry.effect.redated == {**dict.fromkeys(days[:51], -1), between.isoformat(): 51}


def test_the_hundred_and_first_lot_is_merged_in_the_same_posting() -> None:
    sarah = Journey(EXPIRING)
    for _ in range(100):
        sarah.does(Earn(1))
        sarah.waits(days=1)
    entry = sarah.does(Earn(1))
    assert len(sarah.lots) == 100
    assert entry.effect.redated == {"2026-07-06": -1, "2026-07-10": 1}
    assert entry.effect.lots == {"2026-07-10": 1}
