"""Roster: everybody who has an entry, once, in the order of ids, whatever page size (R28)."""

from __future__ import annotations

import pytest

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Earn, Erase, Identify
from loyalty.profile_ports import Enrolled
from tests.contract.storage import Pen

NAMES = ("sarah", "bill", "mo", "ada", "kai", "lou", "tom")


def walked(pen: Pen, limit: int) -> list[Enrolled]:
    found, place = pen.storage.roster.page(pen.program.slug, after="", limit=limit)
    while place:
        more, place = pen.storage.roster.page(pen.program.slug, after=place, limit=limit)
        assert len(more) <= limit
        found += more
    return found


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_everybody_is_met_once_in_the_order_of_ids(pen: Pen, limit: int) -> None:
    """R28: across page boundaries."""
    for name in NAMES:
        pen.write(name, Earn(10))
    found = [each.member for each in walked(pen, limit)]
    assert found == sorted((pen.member(name) for name in NAMES), key=lambda member: member.member_id)
    assert pen.storage.roster.count(pen.program.slug) == len(NAMES)


def test_a_member_is_shown_in_its_newest_state_with_whether_it_is_owed(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    pen.write("sarah", Earn(20))
    assert walked(pen, 10) == [Enrolled(pen.member("sarah"), owed=True)]
    pen.storage.outbox.clear_profile(pen.program.slug, pen.id_of("sarah"), 2)
    assert walked(pen, 10) == [Enrolled(pen.member("sarah"), owed=False)]


def test_redirects_are_nobody_and_the_erased_stay(pen: Pen) -> None:
    """Whoever walks sees that somebody was there, and nothing of who it was."""
    pen.write("sarah", Earn(10))
    pen.write("sarah", Identify({}), redirects=((pen.id_of("former"), pen.id_of("sarah")),))
    pen.write("bill", Earn(10))
    pen.write("bill", Erase())
    assert {each.member.member_id for each in walked(pen, 10)} == {pen.id_of("sarah"), pen.id_of("bill")}
    assert pen.storage.roster.count(pen.program.slug) == 2


def test_programs_have_rosters_of_their_own(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    assert pen.storage.roster.count(ProgramSlug("soaps")) == 0
    assert pen.storage.roster.page(ProgramSlug("soaps"), after="", limit=10) == ([], "")


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_ids_come_in_the_same_order_and_end(pen: Pen, limit: int) -> None:
    for name in NAMES:
        pen.write(name, Earn(10))
    found: list[MemberId] = []
    while page := pen.storage.roster.ids(pen.program.slug, after=found[-1] if found else "", limit=limit):
        assert len(page) <= limit
        found += page
    assert found == sorted(pen.id_of(name) for name in NAMES)
