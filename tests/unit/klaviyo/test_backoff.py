"""How long to wait before another attempt."""

import pytest

from loyalty.domain.backoff import FIRST, LONGEST, wait


def least(_: float) -> float:
    return 0.0


def most(bound: float) -> float:
    return bound


@pytest.mark.parametrize("asked", [0, 1, 7, 60, 3600])
@pytest.mark.parametrize("jitter", [least, most])
def test_never_sooner_than_the_other_side_asked(asked: int, jitter: type) -> None:
    """Klaviyo turns earlier tries away, each counting as another call."""
    assert asked <= wait(1, asked, jitter) <= asked + max(1, asked * 0.2)


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    assert [wait(attempt, None, most) for attempt in (1, 2, 3, 8, 9, 100)] == [FIRST, 10, 20, 640, LONGEST, LONGEST]


def test_half_of_a_wait_is_chance() -> None:
    """What failed together must not come back together."""
    assert wait(9, None, least) == LONGEST // 2
    assert wait(9, None, most) == LONGEST
