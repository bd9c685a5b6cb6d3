"""Laws of the core that hold for any lots, days, zones and orders of arrival."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any
from zoneinfo import available_timezones

from hypothesis import assume, given
from hypothesis import strategies as st

from loyalty.domain.errors import Invalid
from loyalty.domain.identity import MAX_EMAIL_LENGTH, normalise_email
from loyalty.domain.ledger.commands import Adjust, Earn, Reverse, Spend
from loyalty.domain.ledger.entry import canonical
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period, redated
from loyalty.domain.ledger.lots import MAX_LOTS, NEVER, coarsening, last_taken, moved, negated, take, total
from loyalty.domain.ledger.terms import Overdraft, Terms
from loyalty.domain.moments import end_of_day, local_date, parse_utc, utc_text, whole_milliseconds
from loyalty.ports import Receipt
from tests.builders import SARAH, a_command
from tests.fakes.naive_dates import followed, last_use, next_merge
from tests.journey import Journey
from tests.worlds import World

days = st.dates(date(2026, 1, 1), date(2032, 12, 31))
lot_dates = st.one_of(days.map(date.isoformat), st.just(NEVER))
some_lots = st.dictionaries(lot_dates, st.integers(1, 50), max_size=8)
many_lots = st.builds(
    lambda first, gaps, points: {
        (first + timedelta(days=day)).isoformat(): 1 + (day * points) % 7 for day in accumulate(gaps)
    },
    days,
    st.lists(st.sampled_from([1, 1, 1, 2, 5, 9, 33]), min_size=MAX_LOTS - 5, max_size=MAX_LOTS + 60),
    st.integers(1, 9),
)
policies: st.SearchStrategy[ExpiryPolicy] = st.one_of(
    st.just(NoExpiry()),
    st.builds(AfterEarning, st.builds(Period, st.integers(0, 30), st.integers(0, 40))),
    st.builds(Inactivity, st.builds(Period, st.integers(0, 30), st.integers(0, 40))),
    st.builds(Calendar, st.integers(1, 12), st.integers(1, 31), st.integers(0, 500)),
)
zones = st.sampled_from(sorted(zone for zone in available_timezones() if "/" in zone))


def units(lots: dict[str, int]) -> list[str]:
    """One date for each point, soonest first."""
    return sorted(Counter(lots).elements())


def shares(whole: int, cuts: list[int]) -> list[int]:
    """A whole in parts."""
    edges = sorted({0, whole, *(cut % (whole + 1) for cut in cuts)})
    return [after - before for before, after in pairwise(edges)]


# Lots


@given(some_lots, st.data())
def test_taking_takes_exactly_the_soonest_points(lots: dict[str, int], data: st.DataObject) -> None:
    points = data.draw(st.integers(0, total(lots)))
    assert units(take(lots, points)) == units(lots)[:points]


@given(some_lots, some_lots, st.data())
def test_taking_named_points_first_takes_as_many_of_them_as_there_are(
    lots: dict[str, int], first: dict[str, int], data: st.DataObject
) -> None:
    points = data.draw(st.integers(0, total(lots)))
    named = list((Counter(lots) & Counter(first)).elements())
    others = list((Counter(lots) - Counter(first)).elements())
    assert units(take(lots, points, first=first)) == sorted((sorted(named) + sorted(others))[:points])


@given(some_lots, st.data())
def test_giving_back_leaves_what_taking_less_would_have_left(lots: dict[str, int], data: st.DataObject) -> None:
    points = data.draw(st.integers(0, total(lots)))
    back = data.draw(st.integers(0, points))
    taken = take(lots, points)
    after = moved(lots, negated(taken), last_taken(taken, back))
    assert after == moved(lots, negated(take(lots, points - back)))


@given(some_lots, st.lists(st.integers(0, 500), max_size=5))
def test_giving_back_in_parts_is_giving_back_the_whole(lots: dict[str, int], cuts: list[int]) -> None:
    given_back = 0
    parts = []
    for part in shares(total(lots), cuts):
        parts.append(last_taken(lots, part, skip=given_back))
        given_back += part
    assert moved({}, *parts) == moved({}, lots)


@given(many_lots)
def test_merging_lots_keeps_every_point_and_expires_none_earlier(lots: dict[str, int]) -> None:
    """W3: however many dates there are, at each day no more points are over than without merging."""
    after = moved(lots, coarsening(lots))
    assert total(after) == total(lots)
    assert all(late >= early for early, late in zip(units(lots), units(after), strict=True))


@given(many_lots)
def test_merging_lots_does_no_more_than_is_needed(lots: dict[str, int]) -> None:
    after = moved(lots, coarsening(lots))
    assert len(after) == min(len(lots), MAX_LOTS)
    assert coarsening(after) == {}


@given(many_lots)
def test_merging_lots_follows_the_farthest_week_then_month_then_year(lots: dict[str, int]) -> None:
    merged = dict(lots)
    while len(merged) > MAX_LOTS:
        move = next_merge(sorted(merged))
        assert move is not None
        early, late = move
        merged[late] += merged.pop(early)
    assert moved(lots, coarsening(lots)) == merged


# Policies


@given(policies, days)
def test_the_date_of_points_is_the_one_found_by_walking_there(policy: ExpiryPolicy, day: date) -> None:
    assert policy.lot_date(day) == last_use(policy, day)


@given(policies, days, st.integers(0, 800))
def test_later_points_never_expire_earlier(policy: ExpiryPolicy, day: date, wait: int) -> None:
    assert day.isoformat() <= policy.lot_date(day) <= policy.lot_date(day + timedelta(days=wait))


@given(some_lots, policies, days)
def test_a_policy_change_gives_every_point_the_date_a_napkin_says(
    lots: dict[str, int], policy: ExpiryPolicy, day: date
) -> None:
    """Traps 2 and 3."""
    after = moved(lots, redated(lots, policy, day))
    assert units(after) == sorted(followed(units(lots), policy, day))


@given(some_lots, policies, days)
def test_a_policy_change_expires_nothing_at_once_and_following_it_twice_is_following_it_once(
    lots: dict[str, int], policy: ExpiryPolicy, day: date
) -> None:
    after = moved(lots, redated(lots, policy, day))
    over = {lot: points for lot, points in lots.items() if lot < day.isoformat()}
    assert {lot: points for lot, points in after.items() if lot < day.isoformat()} == over
    assert redated(after, policy, day) == {}


@given(st.lists(st.tuples(days, policies), max_size=4), some_lots)
def test_following_changes_one_by_one_ends(changes: list[tuple[date, ExpiryPolicy]], lots: dict[str, int]) -> None:
    terms, revision = Terms(), 0
    for since, policy in sorted(changes, key=lambda change: change[0]):
        terms = terms.with_expiry(policy, since)
    for _ in range(len(changes) + 1):
        unfollowed = terms.unfollowed(lots, revision)
        if unfollowed is None:
            return
        change, moves = unfollowed
        assert revision < change.revision <= terms.expiry_revision
        revision, lots = change.revision, moved(lots, moves)
    raise AssertionError("still something to follow")


# Days


@given(zones, days)
def test_a_day_is_over_at_the_first_instant_of_another(zone: str, day: date) -> None:
    over = end_of_day(day, zone)
    assert local_date(over, zone) > day
    assert local_date(over - timedelta(milliseconds=1), zone) <= day


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_the_text_form_of_times_reads_back_and_sorts_as_they_do(moment: datetime) -> None:
    later = whole_milliseconds(moment) + timedelta(milliseconds=1)
    assert parse_utc(utc_text(moment)) == whole_milliseconds(moment)
    assert utc_text(moment) < utc_text(later)


# Words


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_the_canonical_form_says_everything_and_has_no_line_breaks(value: Any) -> None:
    """A line break separates what is hashed together."""
    assert json.loads(canonical(value)) == value
    assert b"\n" not in canonical(value)


def accepted(text: str) -> str | None:
    """The address in its one form, None for what is refused."""
    try:
        return normalise_email(text)
    except Invalid:
        return None


@given(st.text(max_size=40).map(lambda text: text + "@klaviyo-demo.com") | st.text() | st.emails())
def test_any_text_is_an_address_in_its_one_form_or_refused(text: str) -> None:
    """R33. Whatever is accepted is plain ASCII, short enough, and its own normal form."""
    address = accepted(text)
    if address is None:
        return
    assert address.isascii()
    assert address.isprintable()
    assert len(address) <= MAX_EMAIL_LENGTH
    assert address == text.strip().lower()
    assert normalise_email(f" {address.upper()}\t") == address


# Decisions


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 160),
    st.lists(st.integers(0, 160), max_size=4),
    st.sampled_from([Spend, lambda points: Adjust(-points)]),
)
def test_undoing_in_any_parts_brings_everything_back(
    earned: list[int], points: int, cuts: list[int], action: Any
) -> None:
    """R167, W1: also points that were never there, where debts are allowed."""
    sarah = Journey(Terms(expiry=AfterEarning(Period(days=30)), overdraft=Overdraft.ALLOW_NEGATIVE))
    for amount in earned:
        sarah.does(Earn(amount))
        sarah.waits(days=1)
    assume(action is not Spend or points <= sum(earned))
    lots, amounts = sarah.lots, sarah.amounts
    original = sarah.does(action(points))
    for part in shares(points, cuts):
        original = sarah.reversed(original, sarah.does(Reverse(original, part)))
    assert (sarah.lots, sarah.amounts) == (lots, amounts)


@given(
    policies,
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20)), min_size=1, max_size=6),
    st.lists(st.integers(1, 400), max_size=6),
)
def test_it_does_not_matter_when_the_sweep_comes(
    policy: ExpiryPolicy, earnings: list[tuple[int, int]], sweeps: list[int]
) -> None:
    """R175: swept often, late or never, the same points expire."""
    swept, unswept = Journey(Terms(expiry=policy)), Journey(Terms(expiry=policy))
    for journey in (swept, unswept):
        for points, wait in earnings:
            journey.settles()
            journey.does(Earn(points))
            journey.waits(days=wait)
    end = swept.now + timedelta(days=500)
    for sweep in sorted(sweeps):
        swept.now = min(end, unswept.now + timedelta(days=sweep))
        swept.settles()
    for journey in (swept, unswept):
        journey.now = end
        journey.settles()
    assert (swept.amounts, swept.lots) == (unswept.amounts, unswept.lots)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_shuffled_and_duplicated_deliveries_end_in_the_same_state(points: list[int], shuffling: random.Random) -> None:
    """W5."""
    in_order, shuffled = World(), World()
    commands = [a_command(Earn(amount), key=f"review-{number}", natural=True) for number, amount in enumerate(points)]
    deliveries = commands * 2
    shuffling.shuffle(deliveries)
    for world, sequence in ((in_order, commands), (shuffled, deliveries)):
        for command in sequence:
            assert isinstance(world.ledger.post(world.program, SARAH, command, newcomer=True), Receipt)
    assert shuffled.amounts(SARAH) == in_order.amounts(SARAH)
    assert shuffled.store.commits == len(points)
