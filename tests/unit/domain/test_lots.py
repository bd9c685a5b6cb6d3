"""Lots: taking, giving back, and staying few without shortening anybody's points (W3)."""

from datetime import date, timedelta

import pytest

from loyalty.domain.ledger.lots import (
    MAX_LOTS,
    NEVER,
    coarsening,
    last_taken,
    moved,
    negated,
    take,
    total,
)

LOTS = {"2026-03-05": 10, "2026-03-09": 20, NEVER: 30}


def days(first: date, count: int, step: int = 1) -> dict[str, int]:
    """One point on each of so many days."""
    return {(first + timedelta(days=number * step)).isoformat(): 1 for number in range(count)}


def test_the_total_is_the_sum_of_all_lots() -> None:
    assert total(LOTS) == 60
    assert total({}) == 0


def test_moving_merges_points_of_one_day_and_drops_emptied_lots() -> None:
    changed = moved(LOTS, {"2026-03-05": -10, "2026-03-09": 1}, {"2026-03-07": 4, "2026-03-09": 1})
    assert changed == {"2026-03-07": 4, "2026-03-09": 22, NEVER: 30}
    assert list(changed) == ["2026-03-07", "2026-03-09", NEVER]


def test_changes_count_together_so_a_lot_may_pass_through_debt() -> None:
    assert moved({"2026-03-05": 1}, {"2026-03-05": -3}, {"2026-03-05": 5}) == {"2026-03-05": 3}


def test_a_lot_never_goes_below_zero() -> None:
    with pytest.raises(ValueError, match="a lot cannot be negative"):
        moved({"2026-03-05": 1, "2026-03-06": 5}, {"2026-03-05": -2})


def test_moving_leaves_the_lots_it_is_given_alone() -> None:
    lots = {"2026-03-05": 1}
    moved(lots, {"2026-03-05": 1})
    assert lots == {"2026-03-05": 1}


def test_negated_lots_have_the_other_sign() -> None:
    assert negated({"2026-03-05": 3, NEVER: -4}) == {"2026-03-05": -3, NEVER: 4}


@pytest.mark.parametrize(
    ("points", "taken"),
    [
        (0, {}),
        (1, {"2026-03-05": 1}),
        (10, {"2026-03-05": 10}),
        (11, {"2026-03-05": 10, "2026-03-09": 1}),
        (60, LOTS),
    ],
)
def test_points_are_taken_from_the_soonest_expiring_lot_and_undated_ones_last(
    points: int, taken: dict[str, int]
) -> None:
    """Soonest first, whatever order the lots come in (W3)."""
    assert take(dict(sorted(LOTS.items(), reverse=True)), points) == taken


def test_a_named_lot_is_taken_from_before_all_others_up_to_its_points() -> None:
    assert take(LOTS, 25, first={"2026-03-09": 8}) == {"2026-03-09": 15, "2026-03-05": 10}
    assert take(LOTS, 8, first={"2026-03-09": 8}) == {"2026-03-09": 8}
    assert take(LOTS, 60, first={NEVER: 1}) == LOTS


def test_a_named_lot_gives_only_what_it_holds() -> None:
    assert take(LOTS, 25, first={"2026-03-09": 99, "2026-03-08": 7}) == {"2026-03-09": 20, "2026-03-05": 5}


def test_several_named_lots_are_taken_from_soonest_first() -> None:
    assert take(LOTS, 15, first={NEVER: 10, "2026-03-09": 10}) == {"2026-03-09": 10, NEVER: 5}


@pytest.mark.parametrize("first", [None, {"2026-03-05": 5}])
def test_taking_more_than_the_lots_hold_fails(first: dict[str, int] | None) -> None:
    with pytest.raises(ValueError, match=r"^the lots hold fewer points$"):
        take(LOTS, 61, first=first)


@pytest.mark.parametrize(
    ("points", "skip", "given"),
    [
        (0, 0, {}),
        (30, 0, {NEVER: 30}),
        (31, 0, {NEVER: 30, "2026-03-09": 1}),
        (60, 0, LOTS),
        (99, 0, LOTS),
        (5, 10, {NEVER: 5}),
        (25, 10, {NEVER: 20, "2026-03-09": 5}),
        (5, 30, {"2026-03-09": 5}),
        (30, 45, {"2026-03-09": 5, "2026-03-05": 10}),
        (5, 60, {}),
    ],
)
def test_points_go_back_latest_first_after_those_that_went_back_before(
    points: int, skip: int, given: dict[str, int]
) -> None:
    assert last_taken(LOTS, points, skip=skip) == given


def test_a_hundred_lots_stay_as_they_are() -> None:
    lots = days(date(2026, 3, 2), MAX_LOTS)
    assert MAX_LOTS == 100
    assert coarsening(lots) == {}


def test_the_lot_beyond_a_hundred_joins_the_latest_of_the_farthest_week() -> None:
    """Monday 2026-03-02 and the 100 days after it end on Wednesday 2026-06-10: Monday's points move on to Wednesday."""
    lots = days(date(2026, 3, 2), MAX_LOTS + 1)
    assert coarsening(lots) == {"2026-06-08": -1, "2026-06-10": 1}


def test_more_days_of_the_farthest_week_follow_earliest_first() -> None:
    """Ending on a Friday, Monday to Wednesday move on to it; Thursday stays: no more merges than needed."""
    lots = days(date(2026, 3, 2), MAX_LOTS + 3)
    assert coarsening(lots) == {"2026-06-08": -1, "2026-06-09": -1, "2026-06-10": -1, "2026-06-12": 3}


def test_a_merged_week_is_followed_by_the_one_before_it() -> None:
    """Eight too many: two days of the last week, then six of the week before, onto its Sunday."""
    lots = days(date(2026, 3, 2), MAX_LOTS + 8)
    assert coarsening(lots) == {
        **{f"2026-06-{day:02d}": -1 for day in range(8, 14)},
        "2026-06-14": 6,
        "2026-06-15": -1,
        "2026-06-16": -1,
        "2026-06-17": 2,
    }


def test_weeks_run_from_monday_to_sunday_over_the_turn_of_the_year() -> None:
    """ISO weeks: Thursday 2026-12-31 and Friday 2027-01-01 are one week."""
    lots = {**days(date(2026, 6, 1), 99, step=1), "2026-12-31": 5, "2027-01-01": 7}
    assert coarsening(lots) == {"2026-12-31": -5, "2027-01-01": 5}


def test_undated_points_are_one_lot_and_never_merge() -> None:
    lots = {**days(date(2026, 3, 2), MAX_LOTS), NEVER: 50}
    moves = coarsening(lots)
    assert NEVER not in moves
    assert len(moved(lots, moves)) == MAX_LOTS


def test_when_weeks_are_not_enough_months_merge_farthest_first() -> None:
    """One lot a week: no week has two, December has one, so November's earliest moves on to its latest."""
    lots = days(date(2026, 1, 5), MAX_LOTS + 1, step=7)
    assert list(lots)[-2:] == ["2027-11-29", "2027-12-06"]
    assert coarsening(lots) == {"2027-11-01": -1, "2027-11-29": 1}


def test_when_months_are_not_enough_years_merge_farthest_first() -> None:
    """One lot a month for nine years: the farthest year gives as many of its months as are too many."""
    lots = {date(2026 + number // 12, number % 12 + 1, 15).isoformat(): 2 for number in range(MAX_LOTS + 8)}
    assert coarsening(lots) == {
        **{f"2034-{month:02d}-15": -2 for month in range(1, 9)},
        "2034-12-15": 16,
    }


def test_weeks_are_all_merged_before_the_first_month_is() -> None:
    """Daily lots over two years become weeks throughout, and months only at the far end."""
    after = moved(days(date(2026, 1, 1), 730), coarsening(days(date(2026, 1, 1), 730)))
    assert len(after) == MAX_LOTS
    assert list(after.items())[:2] == [("2026-01-04", 4), ("2026-01-11", 7)]
    assert list(after.items())[-3:] == [("2027-11-21", 7), ("2027-11-28", 14), ("2027-12-31", 33)]
