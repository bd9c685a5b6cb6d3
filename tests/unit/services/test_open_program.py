"""Opening programs."""

from __future__ import annotations

import pytest

from loyalty.domain.errors import Invalid, Rejected
from loyalty.services.open_program import OpenProgram
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_programs import MemoryPrograms


def test_a_program_starts_with_the_defaults_and_a_secret_of_its_own() -> None:
    """R73: every type of event is sent from the start."""
    programs = MemoryPrograms()
    open_program = OpenProgram(programs, FixedClock(), SeededRandomness())
    first = open_program("candles", " Candle Club ")
    second = open_program("soaps", "Soaps")
    assert programs.load(first.slug) == first
    assert first.name == "Candle Club"
    assert first.review_rule.points == 50
    assert first.review_rule.verified_only
    assert first.events_off == frozenset()
    assert first.connection is None
    assert len(first.id_key) >= 22
    assert first.id_key != second.id_key


def test_a_slug_is_given_once() -> None:
    open_program = OpenProgram(MemoryPrograms(), FixedClock(), SeededRandomness())
    open_program("candles", "Candles")
    with pytest.raises(Rejected) as raised:
        open_program("candles", "Other candles")
    assert raised.value.code == "program_exists"


@pytest.mark.parametrize(
    ("slug", "name", "code"),
    [
        ("Candles", "x", "invalid_slug"),
        ("", "x", "invalid_slug"),
        ("a", " ", "invalid_name"),
        ("a", "x" * 101, "invalid_name"),
    ],
)
def test_malformed_slugs_and_names_are_refused(slug: str, name: str, code: str) -> None:
    with pytest.raises(Invalid) as raised:
        OpenProgram(MemoryPrograms(), FixedClock(), SeededRandomness())(slug, name)
    assert raised.value.code == code
