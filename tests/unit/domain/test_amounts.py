"""Amounts: sums, signs, and that no point appears or vanishes."""

import pytest

from loyalty.domain.ledger.amounts import AMOUNT_NAMES, Amounts

ONE_OF_EACH = Amounts(available=1, pending=2, held=3, earned=4, spent=5, expired=6, deducted=7, reversed=8)


def test_amounts_add_up_one_by_one() -> None:
    assert ONE_OF_EACH + Amounts(held=10, reversed=-8) == Amounts(1, 2, 13, 4, 5, 6, 7, 0)


def test_the_opposite_change_undoes_a_change() -> None:
    undone = ONE_OF_EACH + -ONE_OF_EACH
    assert undone == Amounts()


def test_only_amounts_that_are_not_zero_are_written_down() -> None:
    assert Amounts(available=-1, spent=2).non_zero() == {"available": -1, "spent": 2}
    assert Amounts().non_zero() == {}


@pytest.mark.parametrize("name", AMOUNT_NAMES)
def test_points_are_conserved_when_every_one_ever_earned_is_somewhere(name: str) -> None:
    """Pending points are outside: they were not earned yet."""
    whole = Amounts(available=1, held=2, earned=31, spent=4, expired=8, deducted=16)
    assert whole.is_conserved
    assert (whole + Amounts(**{name: 1})).is_conserved is (name == "pending")
    assert (whole + Amounts(reversed=3, earned=3)).is_conserved
    assert (whole + Amounts(available=-40, deducted=40)).is_conserved
