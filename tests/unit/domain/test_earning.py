"""Points that come in: earn with its caps, pend, activate, cancel (R44, R45, R105, R165, R166, W10)."""

from datetime import timedelta

import pytest

from loyalty.domain.ledger.amounts import MAX_POINTS, Amounts
from loyalty.domain.ledger.caps import CapPeriod, EarnCap
from loyalty.domain.ledger.commands import Activate, Adjust, Cancel, Earn, Pend, PlaceHold, Spend
from loyalty.domain.ledger.earning import MAX_OPEN_CLAIMS
from loyalty.domain.ledger.entry import EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Earned, Pending, Standing
from loyalty.domain.ledger.terms import Overdraft, Terms
from tests.fakes.clocks import START
from tests.journey import Journey, at
from tests.standings import in_standing

EXPIRING = Terms(expiry=AfterEarning(Period(days=30)))
SOON = START + timedelta(days=3)


def test_earned_points_are_available_and_dated_by_the_policy() -> None:
    sarah = Journey(EXPIRING)
    entry = sarah.does(Earn(50, rule="review"))
    assert (entry.kind, entry.points, entry.effect.rule) == (EntryKind.EARN, 50, "review")
    assert sarah.amounts == Amounts(available=50, earned=50)
    assert sarah.lots == {"2026-04-01": 50}
    assert entry.effect.shortfall == 0
    assert sarah.member.last_activity_at == START


def test_points_of_one_day_share_a_lot() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(50))
    sarah.does(Earn(7))
    sarah.waits(days=1).does(Earn(1))
    assert sarah.lots == {"2026-04-01": 57, "2026-04-02": 1}


def test_the_day_is_the_programs_day() -> None:
    """Half past eleven in the evening in Los Angeles is the next day in UTC."""
    terms = Terms(expiry=AfterEarning(Period(days=1)), timezone="America/Los_Angeles")
    sarah = Journey(terms, now=at("2026-03-03T07:30"))
    sarah.does(Earn(5))
    assert sarah.lots == {"2026-03-03": 5}


def test_points_that_only_pay_a_debt_make_no_lot() -> None:
    sarah = Journey(Terms(overdraft=Overdraft.ALLOW_NEGATIVE))
    sarah.does(Adjust(-30))
    sarah.does(Earn(20))
    assert (sarah.amounts.available, sarah.lots) == (-10, {})
    sarah.does(Earn(25))
    assert (sarah.amounts.available, sarah.lots) == (15, {NEVER: 15})


@pytest.mark.parametrize("points", [0, -1, MAX_POINTS + 1])
@pytest.mark.parametrize("action", [Earn, Spend, lambda n: Pend("p", n, SOON), lambda n: PlaceHold("h", n, SOON)])
def test_an_amount_is_positive_and_at_most_a_billion(action: type[Earn] | type[Spend], points: int) -> None:
    refusal = Journey().refuses(action(points))
    assert refusal.code == "invalid_points"
    assert refusal.message == "Points must be a positive whole number of at most 1,000,000,000."


@pytest.mark.parametrize("action", [Earn, Adjust, lambda n: Pend("p", n, SOON)])
def test_a_billion_points_and_a_single_one_are_amounts(action: type[Earn] | type[Adjust]) -> None:
    assert MAX_POINTS == 1_000_000_000
    assert Journey().does(action(MAX_POINTS)).points == MAX_POINTS
    assert Journey().does(action(1)).points == 1


@pytest.mark.parametrize("standing", [Standing.EXCLUDED, Standing.ERASED, Standing.MERGED])
@pytest.mark.parametrize(
    "action", [Earn(5), Spend(5), Adjust(5), Adjust(-5), Pend("p", 5, SOON), PlaceHold("h", 5, SOON)]
)
def test_only_those_who_take_part_earn_and_spend(action: Earn, standing: Standing) -> None:
    """R181: an excluded customer neither earns nor spends; nor does one who is gone."""
    refusal = in_standing(standing).refuses(action)
    assert refusal.code == f"member_{standing.value}"
    assert refusal.message == f"The member is {standing.value} and takes no part in the program."


@pytest.mark.parametrize("standing", [Standing.CANDIDATE, Standing.MEMBER])
def test_candidates_and_members_earn(standing: Standing) -> None:
    assert in_standing(standing).does(Earn(5)).points == 5


DAILY_TWICE = EarnCap(CapPeriod.DAY, times=2)


def test_a_rule_pays_as_often_as_its_cap_says_and_again_in_the_next_period() -> None:
    """R105: the third review of the window earns nothing, the first of the next one does."""
    sarah = Journey()
    review = Earn(10, rule="review", caps=(DAILY_TWICE,))
    sarah.does(review)
    sarah.does(review)
    refusal = sarah.refuses(review)
    assert refusal.code == "earn_cap_reached"
    assert refusal.message == "The rule 'review' has paid all it may in this period."
    assert refusal.facts == {"rule": "review", "buckets": ["review|day|2026-03-03"]}
    sarah.does(Earn(10, rule="order", caps=(DAILY_TWICE,)))
    sarah.waits(days=1).does(review)
    assert sarah.member.earned_in == {
        "review|day|2026-03-03": Earned(2, 20),
        "order|day|2026-03-03": Earned(1, 10),
        "review|day|2026-03-04": Earned(1, 10),
    }


def test_the_period_of_a_cap_is_counted_in_the_programs_time_zone() -> None:
    """R105: midnight is Auckland's, at eleven in the morning UTC (daylight saving)."""
    sarah = Journey(Terms(timezone="Pacific/Auckland"), now=at("2026-03-02T10:59"))
    once = Earn(10, rule="review", caps=(EarnCap(CapPeriod.DAY, times=1),))
    sarah.does(once)
    assert sarah.refuses(once).code == "earn_cap_reached"
    sarah.waits(minutes=1).does(once)


def test_a_points_cap_grants_what_is_left() -> None:
    sarah = Journey()
    order = Earn(60, rule="order", caps=(EarnCap(CapPeriod.MONTH, points=100),))
    sarah.does(order)
    entry = sarah.does(order)
    assert (entry.points, entry.effect.shortfall) == (40, 20)
    assert sarah.member.earned_in == {"order|month|2026-04-01": Earned(2, 100)}
    assert sarah.refuses(order).code == "earn_cap_reached"


def test_of_several_caps_the_tightest_decides_and_all_count() -> None:
    caps = (EarnCap(CapPeriod.DAY, points=50), EarnCap(CapPeriod.MONTH, points=70), EarnCap(CapPeriod.EVER, times=3))
    sarah = Journey()
    assert sarah.does(Earn(60, rule="order", caps=caps)).points == 50
    sarah.waits(days=1)
    assert sarah.does(Earn(60, rule="order", caps=caps)).points == 20
    assert sarah.member.earned_in["order|ever|never"] == Earned(2, 70)


def test_two_caps_of_one_period_both_hold_and_count_once() -> None:
    caps = (DAILY_TWICE, EarnCap(CapPeriod.DAY, points=15))
    sarah = Journey()
    assert sarah.does(Earn(4, rule="r", caps=caps)).points == 4
    assert sarah.member.earned_in == {"r|day|2026-03-03": Earned(1, 4)}
    assert sarah.does(Earn(4, rule="r", caps=caps)).points == 4
    refusal = sarah.refuses(Earn(4, rule="r", caps=caps))
    assert refusal.facts["buckets"] == ["r|day|2026-03-03"]
    bill = Journey()
    assert bill.does(Earn(20, rule="r", caps=caps)).points == 15


def test_awards_without_a_cap_are_not_counted() -> None:
    assert Journey().does(Earn(5, rule="review")).effect.earned_in == {}


def test_the_balance_cap_grants_what_fits_and_then_refuses() -> None:
    """W10: available and held points count, pending ones do not."""
    sarah = Journey(Terms(balance_cap=100))
    sarah.does(Earn(60))
    sarah.does(PlaceHold("cart", 20, SOON))
    sarah.does(Pend("order", 500, SOON))
    entry = sarah.does(Earn(60))
    assert (entry.points, entry.effect.shortfall) == (40, 20)
    refusal = sarah.refuses(Earn(1))
    assert refusal.code == "balance_cap_reached"
    assert refusal.message == "The member may have at most 100 points."
    assert refusal.facts == {"balance_cap": 100, "available": 80}


def test_a_balance_above_a_lowered_cap_stays_and_grows_no_more() -> None:
    sarah = Journey()
    sarah.does(Earn(60))
    sarah.under(balance_cap=50)
    assert sarah.refuses(Earn(1)).code == "balance_cap_reached"
    assert sarah.amounts.available == 60


def test_caps_count_what_was_granted_under_the_balance_cap() -> None:
    sarah = Journey(Terms(balance_cap=30))
    entry = sarah.does(Earn(50, rule="r", caps=(EarnCap(CapPeriod.EVER, points=40),)))
    assert (entry.points, entry.effect.shortfall) == (30, 20)
    assert sarah.member.earned_in == {"r|ever|never": Earned(1, 30)}


def test_pending_points_count_nowhere_else() -> None:
    """R44: never spendable."""
    sarah = Journey(EXPIRING)
    entry = sarah.does(Pend("order-1", 25, SOON))
    assert (entry.kind, entry.points) == (EntryKind.PEND, 25)
    assert sarah.amounts == Amounts(pending=25)
    assert (sarah.lots, sarah.member.pendings) == ({}, {"order-1": Pending(25, SOON)})
    assert sarah.refuses(Spend(1)).code == "insufficient_points"
    assert sarah.member.last_activity_at is None


def test_due_times_have_the_ledgers_precision_and_need_a_zone() -> None:
    sarah = Journey()
    precise = at("2026-03-05T10:00:00.123456")
    sarah.does(Earn(5))
    sarah.does(Pend("order-1", 25, precise))
    sarah.does(PlaceHold("cart-1", 5, precise))
    whole = at("2026-03-05T10:00:00.123")
    assert (sarah.member.pendings["order-1"].due_at, sarah.member.holds["cart-1"].due_at) == (whole, whole)
    with pytest.raises(ValueError, match="a time without a zone"):
        sarah.decide(Pend("order-2", 25, precise.replace(tzinfo=None)))


def test_activated_points_are_earned_on_the_day_they_become_available() -> None:
    """R165."""
    sarah = Journey(EXPIRING)
    sarah.does(Pend("order-1", 25, SOON))
    entry = sarah.waits(days=3).does(Activate("order-1"))
    assert (entry.kind, entry.points, entry.effect.closed) == (EntryKind.ACTIVATE, 25, {"order-1": 25})
    assert sarah.amounts == Amounts(available=25, earned=25)
    assert (sarah.lots, sarah.member.pendings) == ({"2026-04-04": 25}, {})
    assert sarah.member.last_activity_at == sarah.now


def test_what_does_not_fit_under_the_balance_cap_is_void_when_activated() -> None:
    sarah = Journey(Terms(balance_cap=100))
    sarah.does(Earn(90))
    sarah.does(Pend("order-1", 25, SOON))
    entry = sarah.does(Activate("order-1"))
    assert (entry.points, entry.effect.shortfall, entry.effect.closed) == (10, 15, {"order-1": 25})
    assert sarah.amounts == Amounts(available=100, earned=100)


def test_pending_points_are_voided_whole_or_in_part() -> None:
    """R166: nothing else moves."""
    sarah = Journey()
    sarah.does(Earn(5))
    sarah.does(Pend("order-1", 25, SOON))
    entry = sarah.does(Cancel("order-1", 10))
    assert (entry.kind, entry.points) == (EntryKind.CANCEL, -10)
    assert sarah.member.pendings == {"order-1": Pending(15, SOON)}
    sarah.does(Cancel("order-1"))
    assert (sarah.amounts, sarah.member.pendings) == (Amounts(available=5, earned=5), {})
    assert sarah.member.version == 4


def test_cancelling_the_very_points_left_closes_the_claim() -> None:
    sarah = Journey()
    sarah.does(Pend("order-1", 25, SOON))
    sarah.does(Cancel("order-1", 25))
    assert sarah.member.pendings == {}


@pytest.mark.parametrize("points", [0, -1, 26])
def test_no_more_is_cancelled_than_is_pending(points: int) -> None:
    sarah = Journey()
    sarah.does(Pend("order-1", 25, SOON))
    refusal = sarah.refuses(Cancel("order-1", points))
    assert refusal.code == "exceeds_pending"
    assert refusal.message == "Between 1 and 25 points of this claim can be cancelled."
    assert refusal.facts == {"pending": 25}


@pytest.mark.parametrize("action", [Activate("order-1"), Cancel("order-1")])
def test_a_claim_ends_once(action: Activate | Cancel) -> None:
    """R165: activated once, whoever comes second."""
    sarah = Journey()
    sarah.does(Pend("order-1", 25, SOON))
    sarah.does(Activate("order-1"))
    refusal = sarah.refuses(action)
    assert refusal.code == "unknown_pending"
    assert refusal.message == "There are no pending points named 'order-1'."


@pytest.mark.parametrize("first", [Pend("x", 1, SOON), PlaceHold("x", 1, SOON)])
@pytest.mark.parametrize("second", [Pend("x", 2, SOON), PlaceHold("x", 2, SOON)])
def test_an_open_claim_keeps_its_name_to_itself(first: Pend, second: Pend) -> None:
    sarah = Journey()
    sarah.does(Earn(9))
    sarah.does(first)
    refusal = sarah.refuses(second)
    assert refusal.code == "claim_exists"
    assert refusal.message == "There is an open pending or hold named 'x' already."


def test_a_closed_claims_name_is_free_again() -> None:
    sarah = Journey()
    sarah.does(Pend("x", 1, SOON))
    sarah.does(Cancel("x"))
    assert sarah.does(Pend("x", 2, SOON)).points == 2


def test_a_member_has_at_most_a_hundred_open_claims() -> None:
    """Pendings and holds together; the member item stays small."""
    sarah = Journey()
    sarah.does(Earn(99))
    for number in range(MAX_OPEN_CLAIMS // 2):
        sarah.does(Pend(f"p{number}", 1, SOON))
        sarah.does(PlaceHold(f"h{number}", 1, SOON))
    assert MAX_OPEN_CLAIMS == 100
    for action in (Pend("more", 1, SOON), PlaceHold("more", 1, SOON)):
        refusal = sarah.refuses(action)
        assert refusal.code == "too_many_open_claims"
        assert refusal.message == "A member has at most 100 open pendings and holds."
