"""Reversals: kind by overdraft terms, whole, partial, repeated, with the lots there, used up or over (R167, W1, W8)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import (
    Activate,
    Adjust,
    Cancel,
    Capture,
    Earn,
    Expire,
    Notify,
    Pend,
    PlaceHold,
    Release,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.entry import Entry, EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Overdraft, Terms
from tests.fakes.clocks import START
from tests.journey import Journey, at
from tests.standings import in_standing

EXPIRING = Terms(expiry=AfterEarning(Period(days=30)))
SOON = START + timedelta(days=3)
EARLIER, ISSUED, LATER = "2026-04-01", "2026-04-02", "2026-04-03"

Make = Callable[[Journey], Entry]


def earned(sarah: Journey) -> Entry:
    return sarah.does(Earn(40))


def activated(sarah: Journey) -> Entry:
    sarah.does(Pend("order", 40, SOON))
    return sarah.does(Activate("order"))


def added(sarah: Journey) -> Entry:
    return sarah.does(Adjust(40))


def spent(sarah: Journey) -> Entry:
    return sarah.does(Spend(40))


def captured(sarah: Journey) -> Entry:
    sarah.does(PlaceHold("cart", 40, SOON))
    return sarah.does(Capture("cart"))


def taken_off(sarah: Journey) -> Entry:
    return sarah.does(Adjust(-40))


ISSUING = pytest.mark.parametrize("issue", [earned, activated, added])
TAKING = pytest.mark.parametrize("take", [spent, captured, taken_off])
OVERDRAFTS = pytest.mark.parametrize("overdraft", list(Overdraft))


def issued_between(issue: Make, overdraft: Overdraft = Overdraft.REFUSE) -> tuple[Journey, Entry]:
    """Five points until 1 April, forty to reverse until the 2nd, five until the 3rd; it is 4 March."""
    sarah = Journey(replace(EXPIRING, overdraft=overdraft))
    sarah.does(Earn(5))
    original = issue(sarah.waits(days=1))
    sarah.waits(days=1).does(Earn(5))
    return sarah, original


def with_lots() -> Journey:
    """Thirty points until 1 April, twenty until the 2nd, ten until the 3rd; it is 4 March."""
    sarah = Journey(EXPIRING)
    for number, points in enumerate((30, 20, 10)):
        sarah.now = START + timedelta(days=number)
        sarah.does(Earn(points))
    return sarah


@ISSUING
@OVERDRAFTS
def test_issued_points_are_taken_back_from_the_lot_they_were_issued_into(issue: Make, overdraft: Overdraft) -> None:
    sarah, original = issued_between(issue, overdraft)
    entry = sarah.does(Reverse(original))
    assert (entry.kind, entry.points, entry.effect.reverses) == (EntryKind.REVERSE, -40, original.id)
    assert (entry.effect.lots, entry.effect.shortfall) == ({ISSUED: -40}, 0)
    assert sarah.amounts == Amounts(available=10, earned=50, reversed=40)


def test_a_single_point_is_taken_back_from_where_it_was_issued() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(5))
    original = sarah.waits(days=1).does(Earn(1))
    assert sarah.does(Reverse(original)).effect.lots == {ISSUED: -1}


def test_a_single_spent_point_is_given_back() -> None:
    sarah = with_lots()
    lots = sarah.lots
    sarah.does(Reverse(sarah.does(Spend(1))))
    assert sarah.lots == lots


@ISSUING
@OVERDRAFTS
def test_when_the_issued_lot_holds_less_the_soonest_points_follow(issue: Make, overdraft: Overdraft) -> None:
    sarah, original = issued_between(issue, overdraft)
    sarah.does(Spend(9))
    entry = sarah.does(Reverse(original))
    assert entry.effect.lots == {ISSUED: -36, LATER: -4}
    assert sarah.lots == {LATER: 1}


@ISSUING
def test_points_that_are_gone_cannot_be_taken_back_under_refuse(issue: Make) -> None:
    sarah, original = issued_between(issue)
    sarah.does(Spend(20))
    refusal = sarah.refuses(Reverse(original))
    assert refusal.code == "insufficient_points"
    assert refusal.facts == {"available": 30, "points": 40}
    assert sarah.does(Reverse(original, 30)).points == -30


@ISSUING
def test_points_that_are_gone_are_a_shortfall_under_floor_at_zero(issue: Make) -> None:
    sarah, original = issued_between(issue, Overdraft.FLOOR_AT_ZERO)
    sarah.does(Spend(20))
    entry = sarah.does(Reverse(original))
    assert (entry.points, entry.effect.shortfall, sarah.lots) == (-30, 10, {})
    assert sarah.amounts == Amounts(earned=50, spent=20, reversed=30)
    assert sarah.refuses(Reverse(sarah.reversed(original, entry))).code == "already_reversed"


@ISSUING
def test_points_that_are_gone_become_a_debt_under_allow_negative(issue: Make) -> None:
    sarah, original = issued_between(issue, Overdraft.ALLOW_NEGATIVE)
    sarah.does(Spend(20))
    entry = sarah.does(Reverse(original))
    assert (entry.points, entry.effect.shortfall) == (-40, 0)
    assert (sarah.lots, entry.effect.lots) == ({}, {ISSUED: -25, LATER: -5})
    assert sarah.amounts == Amounts(available=-10, earned=50, spent=20, reversed=40)


@ISSUING
def test_a_debt_grows_whole_and_a_floor_takes_nothing_from_it(issue: Make) -> None:
    sarah, original = issued_between(issue, Overdraft.ALLOW_NEGATIVE)
    sarah.does(Adjust(-60))
    floored = replace(sarah.terms, overdraft=Overdraft.FLOOR_AT_ZERO)
    assert sarah.does(Reverse(original, 1)).points == -1
    sarah.terms = floored
    entry = sarah.does(Reverse(original, 2))
    assert (entry.points, entry.effect.shortfall, sarah.amounts.available) == (0, 2, -11)
    sarah.under(overdraft=Overdraft.REFUSE)
    assert sarah.refuses(Reverse(original, 3)).code == "insufficient_points"


@ISSUING
@OVERDRAFTS
def test_expired_points_are_not_taken_back_twice(issue: Make, overdraft: Overdraft) -> None:
    """The issued lot is over and posted as expired: what is left of the balance answers for it, as the terms say."""
    sarah, original = issued_between(issue, overdraft)
    sarah.now = at("2026-04-03T12:00")
    sarah.settles()
    assert sarah.amounts == Amounts(available=5, earned=50, expired=45)
    if overdraft is Overdraft.REFUSE:
        assert sarah.refuses(Reverse(original)).code == "insufficient_points"
        return
    sarah.does(Reverse(original))
    debt = -35 if overdraft is Overdraft.ALLOW_NEGATIVE else 0
    assert sarah.amounts == Amounts(available=debt, earned=50, expired=45, reversed=5 - debt)


@ISSUING
def test_partial_reversals_together_never_exceed_the_original(issue: Make) -> None:
    """R167: 40 % and 60 % are all of it."""
    sarah, original = issued_between(issue)
    first = sarah.does(Reverse(original, 16))
    original = sarah.reversed(original, first)
    refusal = sarah.refuses(Reverse(original, 25))
    assert refusal.code == "exceeds_original"
    assert refusal.message == "Between 1 and 24 points of this entry can still be reversed."
    assert refusal.facts == {"left": 24}
    second = sarah.does(Reverse(original))
    assert (first.points, second.points, sarah.lots) == (-16, -24, {EARLIER: 5, LATER: 5})
    refusal = sarah.refuses(Reverse(sarah.reversed(original, second)))
    assert refusal.code == "already_reversed"
    assert refusal.message == "All points of this entry have been reversed."
    assert refusal.facts == {"entry": original.id}


@ISSUING
@pytest.mark.parametrize("points", [0, -1, 41])
def test_a_reversal_is_of_at_least_one_point_and_at_most_all(issue: Make, points: int) -> None:
    sarah, original = issued_between(issue)
    assert sarah.refuses(Reverse(original, points)).code == "exceeds_original"
    assert sarah.does(Reverse(original, 1)).points == -1


@TAKING
@OVERDRAFTS
def test_taken_points_go_back_to_the_lots_they_came_from(take: Make, overdraft: Overdraft) -> None:
    """W1: giving back spent points. W8: undoing a wrong adjustment."""
    sarah = with_lots().under(overdraft=overdraft)
    lots, amounts = sarah.lots, sarah.amounts
    original = take(sarah)
    entry = sarah.does(Reverse(original))
    assert (entry.kind, entry.points, entry.effect.reverses) == (EntryKind.REVERSE, 40, original.id)
    assert (sarah.lots, sarah.amounts, entry.effect.shortfall) == (lots, amounts, 0)


@TAKING
def test_partial_reversals_give_back_latest_first_until_all_is_as_it_was(take: Make) -> None:
    sarah = with_lots()
    lots = sarah.lots
    original = take(sarah)
    first = sarah.does(Reverse(original, 4))
    original = sarah.reversed(original, first)
    second = sarah.does(Reverse(original, 9))
    original = sarah.reversed(original, second)
    third = sarah.does(Reverse(original))
    assert [entry.effect.lots for entry in (first, second, third)] == [
        {ISSUED: 4},
        {EARLIER: 3, ISSUED: 6},
        {EARLIER: 27},
    ]
    assert (sarah.lots, sarah.amounts) == (lots, Amounts(available=60, earned=60))


@TAKING
def test_taken_points_come_back_after_their_date_with_a_date_to_use_them_by(take: Make) -> None:
    """The points of 1 April come back on the 2nd, for thirty days; those of the 2nd are still good."""
    sarah = with_lots()
    original = take(sarah)
    sarah.now = at("2026-04-02T12:00")
    sarah.does(Reverse(original))
    assert sarah.lots == {ISSUED: 20, LATER: 10, "2026-05-02": 30}


@TAKING
def test_taken_points_come_back_without_a_date_where_nothing_expires_any_more(take: Make) -> None:
    sarah = with_lots()
    original = take(sarah)
    sarah.under(expiry=NoExpiry())
    sarah.does(Reverse(original))
    assert sarah.lots == {ISSUED: 10, LATER: 10, NEVER: 40}


@TAKING
def test_taken_points_come_back_with_the_whole_balances_date_under_inactivity(take: Make) -> None:
    """Coming back is neither an earn nor a spend: it does not restart the clock."""
    sarah = Journey(Terms(expiry=Inactivity(Period(days=30))))
    sarah.does(Earn(60))
    original = take(sarah.waits(days=2))
    (date_of_all,) = sarah.lots
    active = sarah.member.last_activity_at
    sarah.waits(days=3).does(Reverse(original))
    assert sarah.lots == {date_of_all: 60}
    assert sarah.member.last_activity_at == active


def test_points_back_after_an_inactive_balance_is_over_live_for_the_restored_days() -> None:
    sarah = Journey(Terms(expiry=Inactivity(Period(days=30))))
    sarah.does(Earn(60))
    original = sarah.does(Spend(60))
    sarah.waits(days=31).does(Reverse(original))
    assert sarah.lots == {"2026-05-02": 60}


def test_a_partly_captured_hold_gives_back_only_what_was_spent() -> None:
    sarah = with_lots()
    sarah.does(PlaceHold("cart", 45, SOON))
    original = sarah.does(Capture("cart", 35))
    sarah.does(Reverse(original))
    assert sarah.amounts == Amounts(available=60, earned=60)
    assert sarah.lots == {EARLIER: 30, ISSUED: 20, LATER: 10}
    assert sarah.refuses(Reverse(original, 36)).facts == {"left": 35}


def test_expired_points_are_reinstated_with_a_new_date() -> None:
    """W8."""
    sarah = with_lots()
    sarah.now = at("2026-04-03T12:00")
    original = sarah.does(Expire(sarah.today - timedelta(days=1)))
    assert sarah.amounts == Amounts(available=10, earned=60, expired=50)
    sarah.does(Reverse(original, 20))
    assert sarah.amounts == Amounts(available=30, earned=60, expired=30)
    assert sarah.lots == {LATER: 10, "2026-05-03": 20}


def overdrawn() -> tuple[Journey, Entry]:
    """Sixty points, eighty taken off: the debt is twenty."""
    sarah = with_lots().under(overdraft=Overdraft.ALLOW_NEGATIVE)
    return sarah, sarah.does(Adjust(-80))


@pytest.mark.parametrize("parts", [(80,), (40, 40), (10, 70), (20, 60), (30, 30, 20), (1,) * 80])
def test_a_deduction_that_made_a_debt_is_undone_completely_in_any_parts(parts: tuple[int, ...]) -> None:
    """The debt goes first, being what was taken last; then the lots, latest first."""
    sarah, original = overdrawn()
    for points in parts:
        original = sarah.reversed(original, sarah.does(Reverse(original, points)))
    assert sarah.lots == {EARLIER: 30, ISSUED: 20, LATER: 10}
    assert sarah.amounts == Amounts(available=60, earned=60)


def test_a_part_of_such_a_deduction_undone_leaves_what_a_smaller_one_would_have() -> None:
    sarah, original = overdrawn()
    bill = with_lots().under(overdraft=Overdraft.ALLOW_NEGATIVE)
    sarah.does(Reverse(original, 45))
    bill.does(Adjust(-35))
    assert (sarah.lots, sarah.amounts) == (bill.lots, bill.amounts)


def test_points_that_went_as_a_debt_since_paid_come_back_as_fresh_ones() -> None:
    """No lot ever held them, so they get the date of the day they come."""
    sarah, original = overdrawn()
    sarah.does(Earn(20))
    assert sarah.lots == {}
    sarah.waits(days=1).does(Reverse(original, 25))
    assert sarah.lots == {LATER: 5, "2026-04-04": 20}


def test_points_given_back_pay_a_debt_that_came_later() -> None:
    sarah = with_lots().under(overdraft=Overdraft.ALLOW_NEGATIVE)
    original = sarah.does(Spend(40))
    sarah.does(Adjust(-50))
    entry = sarah.does(Reverse(original))
    assert (sarah.amounts.available, sarah.lots, entry.effect.lots) == (10, {ISSUED: 10}, {ISSUED: 10})


def test_giving_back_is_not_held_up_by_the_balance_cap() -> None:
    """Points the member had are no new ones."""
    sarah = with_lots()
    original = sarah.does(Spend(40))
    sarah.under(balance_cap=20)
    assert sarah.does(Reverse(original)).points == 40


def test_an_award_taken_back_still_counts_in_its_cap() -> None:
    """A refund loop cannot earn again and again within one period."""
    sarah = Journey()
    original = sarah.does(Earn(5, rule="order"))
    before = sarah.member.earned_in
    sarah.does(Reverse(original))
    assert sarah.member.earned_in == before


@pytest.mark.parametrize("what", ["pend", "cancel", "hold", "release", "reverse", "notice"])
def test_what_settled_nothing_cannot_be_reversed(what: str) -> None:
    sarah = Journey()
    earned_entry = sarah.does(Earn(40))
    entries = {
        "pend": sarah.does(Pend("order", 5, SOON)),
        "cancel": sarah.does(Cancel("order")),
        "hold": sarah.does(PlaceHold("cart", 5, SOON)),
        "release": sarah.does(Release("cart")),
        "reverse": sarah.does(Reverse(earned_entry)),
        "notice": sarah.does(Notify("warned")),
    }
    refusal = sarah.refuses(Reverse(entries[what]))
    assert refusal.code == "not_reversible"
    assert refusal.message == (
        f"An entry of kind '{what}' cannot be reversed; "
        "reverse an earn, activate, adjust, spend, capture or expire entry."
    )
    assert refusal.facts == {"kind": what}


def test_an_activation_that_the_balance_cap_voided_has_nothing_to_reverse() -> None:
    sarah = Journey(Terms(balance_cap=40))
    sarah.does(Earn(40))
    assert sarah.refuses(Reverse(activated(sarah))).code == "not_reversible"


@pytest.mark.parametrize("standing", [Standing.EXCLUDED, Standing.ERASED])
def test_orders_of_members_who_left_are_still_corrected(standing: Standing) -> None:
    """The sums stay right after an exclusion or erasure (R25)."""
    sarah = Journey()
    original = sarah.does(Earn(40))
    in_standing(standing, sarah).does(Reverse(original))
    assert sarah.amounts == Amounts(earned=40, reversed=40)


def test_a_member_that_was_merged_away_has_nothing_left_to_reverse() -> None:
    """The reversal belongs where its points went."""
    sarah = Journey()
    original = sarah.does(Earn(40))
    refusal = in_standing(Standing.MERGED, sarah).refuses(Reverse(original))
    assert refusal.code == "member_merged"
    assert refusal.message == "The member is merged; nothing about it can change."


def test_a_reversal_tells_how_much_it_settled_of_which_request() -> None:
    sarah = Journey()
    original = sarah.does(Earn(40))
    first = sarah.does(Reverse(original, 15), key="refund-1")
    marked = sarah.reversed(original, first)
    assert marked.reversed_points == 15
    assert marked.reversals[first.key].member_id == MemberId("sarah")
    assert original.reversed_points == 0


@pytest.mark.parametrize("overdraft", [Overdraft.FLOOR_AT_ZERO, Overdraft.ALLOW_NEGATIVE])
def test_taking_off_by_hand_follows_the_overdraft_terms(overdraft: Overdraft) -> None:
    """R122, R171."""
    sarah = Journey(Terms(overdraft=overdraft))
    sarah.does(Earn(30))
    entry = sarah.does(Adjust(-40))
    gone = 30 if overdraft is Overdraft.FLOOR_AT_ZERO else 40
    assert (entry.kind, entry.points, entry.effect.shortfall) == (EntryKind.ADJUST, -gone, 40 - gone)
    assert sarah.amounts == Amounts(available=30 - gone, earned=30, deducted=gone)


def test_taking_off_more_than_there_is_is_refused_by_default() -> None:
    sarah = Journey()
    sarah.does(Earn(30))
    refusal = sarah.refuses(Adjust(-31))
    assert (refusal.code, refusal.facts) == ("insufficient_points", {"available": 30, "points": 31})
    assert sarah.does(Adjust(-30)).effect.lots == {NEVER: -30}


def test_taking_off_nothing_at_all_is_refused_even_with_a_floor() -> None:
    sarah = Journey(Terms(overdraft=Overdraft.FLOOR_AT_ZERO))
    assert sarah.refuses(Adjust(-1)).code == "insufficient_points"
    sarah.does(Earn(1))
    assert sarah.does(Adjust(-5)).points == -1


@pytest.mark.parametrize("points", [0, 1_000_000_001, -1_000_000_001])
def test_an_adjustment_is_of_a_valid_amount_either_way(points: int) -> None:
    assert Journey(Terms(overdraft=Overdraft.ALLOW_NEGATIVE)).refuses(Adjust(points)).code == "invalid_points"


def test_adding_by_hand_gives_dated_points_as_far_as_the_balance_cap_lets_all_in() -> None:
    """R171. An adjustment is whole or not at all: the person who makes it is told."""
    sarah = Journey(replace(EXPIRING, balance_cap=40))
    entry = sarah.does(Adjust(40))
    assert (entry.kind, entry.points, sarah.lots) == (EntryKind.ADJUST, 40, {EARLIER: 40})
    assert sarah.amounts == Amounts(available=40, earned=40)
    assert sarah.refuses(Adjust(1)).code == "balance_cap_reached"
