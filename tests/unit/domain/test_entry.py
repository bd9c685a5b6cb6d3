"""Entries: the chain, what its hash covers, and the words that can be erased without breaking it (R25, R182)."""

import base64
import hashlib
import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import (
    Activate,
    Adjust,
    Cancel,
    Capture,
    Earn,
    Expire,
    Identify,
    Notify,
    Pend,
    PlaceHold,
    Release,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.entry import (
    Delivery,
    DeliveryState,
    Effect,
    Entry,
    EntryKind,
    Private,
    Reversal,
    Source,
    canonical,
    chain_hash,
    digest,
    effect_facts,
)
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Earned, Hold, Pending, Standing, Warned
from loyalty.domain.ledger.terms import Overdraft, Terms
from tests.fakes.clocks import START
from tests.journey import Journey, at

SOON = START + timedelta(days=3)

FULL_EFFECT = Effect(
    kind=EntryKind.CAPTURE,
    change=Amounts(available=4, held=-10, spent=6),
    lots={"2026-04-01": 4},
    redated={"2026-04-01": -4, "2026-04-02": 4},
    pendings={"order": Pending(5, SOON)},
    holds={"cart": Hold(10, {"2026-04-01": 10}, SOON)},
    closed={"cart": 10},
    consumed={"2026-04-01": 6},
    earned_in={"r|ever|never": Earned(1, 5)},
    warned={"2026-04-01": Warned(3, "2026-03-29")},
    rule="r",
    topic="t",
    reverses="sarah-0000000001",
    shortfall=3,
    standing=Standing.MEMBER,
    expiry_revision=0,
    merged_into="bill",
    birthday_done="2026-03-02",
)
FULL = Entry(
    program=ProgramSlug("candles"),
    member_id=MemberId("sarah"),
    seq=7,
    effect=FULL_EFFECT,
    after=Amounts(available=4),
    source=Source("order", "1001"),
    actor="api-key-1",
    event_type="points_spent",
    key="order#abc",
    request_digest="digest",
    occurred_at=at("2026-03-02T10:00:00.500"),
    recorded_at=at("2026-03-02T12:00"),
    private_digest="words",
    previous_hash="before",
).sealed()


def test_the_hash_is_sha_256_over_the_previous_hash_and_the_canonical_facts() -> None:
    """Anybody can check the chain with the standard library: this is all there is to it (see docs/ledger.md)."""
    facts = {
        "program": "candles",
        "member_id": "sarah",
        "seq": 7,
        "effect": {
            "kind": "capture",
            "change": {"available": 4, "held": -10, "spent": 6},
            "lots": {"2026-04-01": 4},
            "redated": {"2026-04-01": -4, "2026-04-02": 4},
            "pendings": {"order": [5, "2026-03-05T12:00:00.000Z"]},
            "holds": {"cart": [10, {"2026-04-01": 10}, "2026-03-05T12:00:00.000Z"]},
            "closed": {"cart": 10},
            "consumed": {"2026-04-01": 6},
            "earned_in": {"r|ever|never": [1, 5]},
            "warned": {"2026-04-01": [3, "2026-03-29"]},
            "rule": "r",
            "topic": "t",
            "reverses": "sarah-0000000001",
            "shortfall": 3,
            "standing": "member",
            "expiry_revision": 0,
            "merged_into": "bill",
            "birthday_done": "2026-03-02",
        },
        "after": {"available": 4},
        "source": ["order", "1001"],
        "actor": "api-key-1",
        "event_type": "points_spent",
        "key": "order#abc",
        "request_digest": "digest",
        "occurred_at": "2026-03-02T10:00:00.500Z",
        "recorded_at": "2026-03-02T12:00:00.000Z",
        "private_digest": "words",
    }
    text = "before\n" + json.dumps(facts, sort_keys=True, separators=(",", ":"))
    assert FULL.hash == base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def test_empty_parts_of_an_effect_are_left_out_of_its_facts() -> None:
    assert effect_facts(Effect(EntryKind.NOTICE)) == {"kind": "notice"}


OTHER_EFFECT: dict[str, Any] = {
    "kind": EntryKind.EARN,
    "change": Amounts(available=5),
    "lots": {"2026-04-01": 5},
    "redated": {},
    "pendings": {"order": Pending(5, START)},
    "holds": {"cart": Hold(10, {"2026-04-02": 10}, SOON)},
    "closed": {"cart": 9},
    "consumed": {"2026-04-01": 7},
    "earned_in": {"r|ever|never": Earned(2, 5)},
    "warned": {"2026-04-01": Warned(30, "2026-03-29")},
    "rule": "q",
    "topic": "u",
    "reverses": "sarah-0000000002",
    "shortfall": 0,
    "standing": None,
    "expiry_revision": None,
    "merged_into": "",
    "birthday_done": "",
}
OTHER: dict[str, Any] = {
    "program": ProgramSlug("soaps"),
    "member_id": MemberId("bill"),
    "seq": 8,
    "effect": replace(FULL_EFFECT, shortfall=0),
    "after": Amounts(available=5),
    "source": Source("order", "1002"),
    "actor": "api-key-2",
    "event_type": "",
    "key": "order#abd",
    "request_digest": "other",
    "occurred_at": at("2026-03-02T10:00:00.501"),
    "recorded_at": at("2026-03-02T12:00:00.001"),
    "private_digest": "",
    "previous_hash": "",
}
OUTSIDE: dict[str, Any] = {
    "hash": "anything",
    "private": Private("salt", "reason"),
    "delivery": Delivery(DeliveryState.SENT, START),
    "reversals": {"key": Reversal(MemberId("sarah"), 8, 1, "digest")},
}


def test_every_field_of_an_entry_and_its_effect_is_known_to_these_tests() -> None:
    """A new field must be decided on: inside the chain or outside of it."""
    assert {field.name for field in fields(Entry)} == {*OTHER, *OUTSIDE}
    assert {field.name for field in fields(Effect)} == {*OTHER_EFFECT}


@pytest.mark.parametrize("name", OTHER)
def test_the_hash_covers_every_immutable_field(name: str) -> None:
    assert chain_hash(replace(FULL, **{name: OTHER[name]})) != FULL.hash


@pytest.mark.parametrize("name", OTHER_EFFECT)
def test_the_hash_covers_every_part_of_the_effect(name: str) -> None:
    assert chain_hash(replace(FULL, effect=replace(FULL_EFFECT, **{name: OTHER_EFFECT[name]}))) != FULL.hash


def test_the_hash_covers_the_kind_of_the_source_too() -> None:
    assert chain_hash(replace(FULL, source=Source("cart", "1001"))) != FULL.hash


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_happens_to_an_entry_later_is_outside_its_hash(name: str) -> None:
    """Delivery, reversals, and the erasure of its words."""
    assert chain_hash(replace(FULL, **{name: OUTSIDE[name]})) == FULL.hash


def test_sealing_fills_in_the_hash_only() -> None:
    unsealed = replace(FULL, hash="")
    assert unsealed.sealed() == FULL


def test_entries_are_chained_from_the_first() -> None:
    sarah = Journey()
    first, second = sarah.does(Earn(5)), sarah.does(Spend(5))
    assert (first.previous_hash, second.previous_hash) == ("", first.hash)
    assert (sarah.member.last_hash, second.hash) == (second.hash, chain_hash(second))


def test_the_words_of_an_entry_are_covered_by_a_salted_digest() -> None:
    """Equal words have different digests, so that an erased reason cannot be guessed."""
    private = Private("salt", "Sorry", {"order": 7}, {"first_name": "Sarah"})
    words = {"reason": "Sorry", "details": {"order": 7}, "profile": {"first_name": "Sarah"}}
    assert private.digest == digest("salt", canonical(words))
    assert replace(private, salt="other").digest != private.digest


@pytest.mark.parametrize(
    "changes", [{"reason": "sorry"}, {"details": {"order": 8}}, {"profile": {"first_name": "Sara"}}]
)
def test_the_digest_covers_every_word(changes: dict[str, Any]) -> None:
    private = Private("salt", "Sorry", {"order": 7}, {"first_name": "Sarah"})
    assert replace(private, **changes).digest != private.digest


@pytest.mark.parametrize(
    ("narrative", "action"),
    [
        ({"reason": "Sorry"}, Notify("warned")),
        ({"details": {"order": 7}}, Notify("warned")),
        ({}, Identify({"first_name": "Sarah"})),
    ],
)
def test_an_entry_with_words_keeps_them_beside_the_chain(narrative: dict[str, Any], action: Notify) -> None:
    entry = Journey().does(action, **narrative)
    assert entry.private is not None
    assert (entry.private.salt, entry.private_digest) == ("salt", entry.private.digest)
    assert (entry.private.reason, entry.private.details) == (narrative.get("reason", ""), narrative.get("details", {}))
    assert chain_hash(replace(entry, private=None)) == entry.hash


def test_an_entry_without_words_has_nothing_to_erase() -> None:
    entry = Journey().does(Notify("warned"), event_type="points_adjusted_up")
    assert (entry.private, entry.private_digest) == (None, "")


def test_details_keep_their_types() -> None:
    details = {"count": 3, "amount": 1.5, "first": True, "note": "ü"}
    entry = Journey().does(Notify("warned"), details=details)
    assert entry.private is not None
    assert entry.private.details == details


def test_the_canonical_form_is_sorted_compact_and_plain_utf_8() -> None:
    assert canonical({"b": [1, "ü"], "a": {"d": None, "c": True}}) == '{"a":{"c":true,"d":null},"b":[1,"ü"]}'.encode()


def test_a_digest_is_43_characters_of_base64url_without_padding() -> None:
    """Each prefix has digests of its own; the line break keeps prefix and content apart."""
    assert digest("a", b"bc") == "tMYgck2VAivpdl1vZgo2-Qg1rKskN7XozXGBKUCyk0Y"
    assert digest("a", b"b") != digest("", b"ab")


def test_the_check_of_a_delivery_ties_every_part_of_it_to_its_entry() -> None:
    sent = Delivery(DeliveryState.SENT, START, "because")
    checks = {
        sent.check(FULL.id),
        sent.check(replace(FULL, seq=8).id),
        replace(sent, state=DeliveryState.FAILED).check(FULL.id),
        replace(sent, at=SOON).check(FULL.id),
        replace(sent, at=None).check(FULL.id),
        replace(sent, why="").check(FULL.id),
    }
    assert len(checks) == 6
    assert {len(check) for check in checks} == {11}


def test_the_check_of_a_delivery_is_the_same_for_ever() -> None:
    """It is stored beside the entry."""
    owed = digest("sarah-0000000007", canonical(["owed", "", ""]))
    sent = digest("sarah-0000000007", canonical(["sent", "2026-03-02T12:00:00.000Z", "late"]))
    assert Delivery(DeliveryState.OWED).check(FULL.id) == owed[:11]
    assert Delivery(DeliveryState.SENT, START, "late").check(FULL.id) == sent[:11]


def test_an_entry_knows_its_public_id_and_kind() -> None:
    assert (FULL.id, FULL.kind) == ("sarah-0000000007", EntryKind.CAPTURE)


def test_the_points_of_an_entry_are_those_it_is_about() -> None:
    """R182: what an activity log shows for each kind."""
    sarah = Journey(Terms(expiry=AfterEarning(Period(days=1)), overdraft=Overdraft.ALLOW_NEGATIVE))
    shown = [
        earned := sarah.does(Earn(50)),
        sarah.does(Spend(9)),
        sarah.does(Adjust(3)),
        sarah.does(Adjust(-2)),
        sarah.does(Pend("a", 10, SOON)),
        sarah.does(Cancel("a", 4)),
        sarah.does(Activate("a")),
        sarah.does(PlaceHold("b", 8, SOON)),
        sarah.does(Capture("b", 5)),
        sarah.does(PlaceHold("c", 7, SOON)),
        sarah.does(Release("c")),
        sarah.does(Reverse(earned, 11)),
        sarah.does(Notify("warned")),
        sarah.waits(days=2).does(Expire(sarah.today - timedelta(days=1))),
    ]
    assert [entry.points for entry in shown] == [50, -9, 3, -2, 10, -4, 6, -8, -5, -7, 7, -11, 0, -32]


def test_reversed_points_add_up() -> None:
    marks = {"a": Reversal(MemberId("s"), 1, 3, ""), "b": Reversal(MemberId("s"), 2, 4, "")}
    assert replace(FULL, reversals=marks).reversed_points == 7
    assert FULL.reversed_points == 0
