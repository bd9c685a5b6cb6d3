"""Commands: keys, and the digest that tells a repeat from another request under the same key (W5)."""

from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from loyalty.domain.ledger.caps import CapPeriod, EarnCap
from loyalty.domain.ledger.commands import (
    RETENTION_DAYS,
    Action,
    Adjust,
    Cancel,
    Capture,
    Command,
    CommandKey,
    Earn,
    Expire,
    Identify,
    MergeIn,
    Narrative,
    Notify,
    Pend,
    PlaceHold,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.entry import Source
from loyalty.domain.ledger.member import Standing
from tests.fakes.clocks import START
from tests.journey import Journey

SOON = START + timedelta(days=3)


def command(action: Action, addressee: str = "", **narrative: Any) -> Command:
    story = Narrative(Source("order", "1"), "shop", START)
    return Command(CommandKey("order", "1"), action, replace(story, **narrative), addressee)


def test_a_callers_key_is_remembered_for_more_than_thirty_days() -> None:
    assert RETENTION_DAYS == 35


def test_a_keys_text_shows_its_scope_and_how_long_it_lives_but_not_its_value() -> None:
    text = CommandKey("order", "sarah@klaviyo-demo.com").text
    assert text.startswith("order~")
    assert len(text) == len("order~") + 27
    assert "sarah" not in text
    assert CommandKey("order", "x", natural=True).text.startswith("order#")


def test_keys_differ_by_scope_value_and_kind() -> None:
    keys = [CommandKey("a", "1"), CommandKey("a", "2"), CommandKey("b", "1"), CommandKey("a", "1", natural=True)]
    assert len({key.text for key in keys}) == 4
    assert CommandKey("a", "1").text == CommandKey("a", "1").text


def test_the_same_request_has_the_same_digest_whenever_it_is_made() -> None:
    """When it was asked, the due time computed from that and the caps in force do not count."""
    assert command(Earn(5)).request_digest == command(Earn(5), occurred_at=SOON).request_digest
    assert command(Pend("p", 5, START)).request_digest == command(Pend("p", 5, SOON)).request_digest
    capped = Earn(5, caps=(EarnCap(CapPeriod.DAY, times=1),))
    assert command(Earn(5)).request_digest == command(capped).request_digest
    assert command(Earn(5)).request_digest == command(Earn(5), actor="other", event_type="x").request_digest
    assert len(command(Earn(5)).request_digest) == 22


@pytest.mark.parametrize(
    "other",
    [
        command(Earn(6)),
        command(Spend(5)),
        command(Earn(5, rule="review")),
        command(Earn(5), addressee="bill"),
        command(Earn(5), source=Source("order", "2")),
        command(Earn(5), source=Source("cart", "1")),
        command(Earn(5), reason="Order"),
        command(Earn(5), details={"items": 2}),
    ],
)
def test_anything_else_about_a_request_makes_it_another(other: Command) -> None:
    assert other.request_digest != command(Earn(5)).request_digest


def test_every_kind_of_value_is_part_of_the_digest() -> None:
    sarah, bill = Journey(name="sarah"), Journey(name="bill")
    first, second = sarah.does(Earn(5)), sarah.does(Earn(5))
    pairs: list[tuple[Action, Action]] = [
        (Spend(5), Adjust(5)),
        (Reverse(first), Reverse(second)),
        (Reverse(first), Reverse(first, 2)),
        (MergeIn(sarah.member), MergeIn(bill.member)),
        (Expire(date(2026, 3, 2)), Expire(date(2026, 3, 3))),
        (Identify({"phone": "1"}), Identify({"phone": "2"})),
        (Identify(standing=Standing.MEMBER), Identify(standing=Standing.EXCLUDED)),
        (Notify("warned"), Notify("told")),
        (Cancel("p"), Cancel("p", 1)),
        (Capture("p"), Capture("q")),
        (PlaceHold("p", 1, SOON), PlaceHold("p", 2, SOON)),
    ]
    for one, other in pairs:
        assert command(one).request_digest != command(other).request_digest


def test_what_is_to_be_noted_of_a_person_may_come_in_any_mapping() -> None:
    details = {"phone": "1"}
    assert command(Identify(MappingProxyType(details))).request_digest == command(Identify(details)).request_digest


def test_a_reversal_is_of_an_entry_whatever_has_become_of_it_since() -> None:
    """The caller read the entry some time ago; its marks are no part of the request."""
    sarah = Journey()
    entry = sarah.does(Earn(5))
    marked = sarah.reversed(entry, sarah.does(Reverse(entry, 2)))
    assert command(Reverse(entry, 1)).request_digest == command(Reverse(marked, 1)).request_digest


def test_a_merge_is_of_a_member_whatever_it_has_by_now() -> None:
    sarah = Journey()
    before = sarah.member
    sarah.does(Earn(5))
    assert command(MergeIn(before)).request_digest == command(MergeIn(sarah.member)).request_digest
