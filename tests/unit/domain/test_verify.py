"""``prove``: a journal that was tampered with says where (docs/ledger.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import Earn, Erase, Identify, Pend, PlaceHold, Release, Spend
from loyalty.domain.ledger.entry import Effect, Entry, EntryKind
from loyalty.domain.ledger.member import Hold, Member, Pending
from loyalty.domain.ledger.verify import Finding, prove
from tests.fakes.clocks import START
from tests.journey import Journey

CANDLES, SARAH = ProgramSlug("candles"), MemberId("sarah")
SOON = START + timedelta(days=3)


def a_life() -> Journey:
    """Named, earned, pending, spent."""
    sarah = Journey()
    sarah.does(Identify({"email": "sarah@klaviyo-demo.com"}))
    sarah.does(Earn(50), reason="Welcome")
    sarah.does(Pend("order", 7, SOON))
    sarah.does(Spend(20))
    return sarah


def findings(journal: list[Entry]) -> list[tuple[str, str, str]]:
    return [(found.item, found.attribute, found.message) for found in prove(CANDLES, SARAH, journal).findings]


def resealed(journal: list[Entry]) -> list[Entry]:
    """A journal whose hashes were all made to fit again by whoever changed it."""
    sealed: list[Entry] = []
    for entry in journal:
        previous = sealed[-1].hash if sealed else ""
        sealed.append(replace(entry, previous_hash=previous).sealed())
    return sealed


def forged(journal: list[Entry], effect: Effect) -> list[Entry]:
    """The journal and one more entry that somebody made up, hash and balances included."""
    last = journal[-1]
    entry = replace(last, seq=last.seq + 1, effect=effect, after=last.after + effect.change, private=None)
    return resealed([*journal, replace(entry, private_digest="")])


def test_a_sound_journal_proves_the_member_it_describes() -> None:
    sarah = a_life()
    proof = prove(CANDLES, SARAH, sarah.entries)
    assert proof.findings == ()
    assert proof.member == sarah.member


def test_no_journal_proves_nobody() -> None:
    proof = prove(CANDLES, SARAH, iter([]))
    assert (proof.findings, proof.member) == ((), Member(CANDLES, SARAH))


def test_a_missing_entry_leaves_a_gap_and_a_broken_chain() -> None:
    journal = a_life().entries
    assert ("entry 3", "seq", "entry 2 is expected here") in findings([journal[0], *journal[2:]])
    assert ("entry 3", "previous_hash", "does not continue the chain") in findings([journal[0], *journal[2:]])


def test_the_first_entry_continues_nothing() -> None:
    assert findings(a_life().entries[1:])[:2] == [
        ("entry 2", "seq", "entry 1 is expected here"),
        ("entry 2", "previous_hash", "does not continue the chain"),
    ]


@pytest.mark.parametrize("whose", [{"member_id": MemberId("bill")}, {"program": ProgramSlug("soaps")}])
def test_an_entry_of_somebody_else_is_found(whose: dict[str, str]) -> None:
    journal = a_life().entries
    stolen = resealed([*journal[:3], replace(journal[3], **whose)])  # type: ignore[arg-type]
    assert findings(stolen) == [("entry 4", "member_id", "belongs to another member")]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda entry: replace(entry, actor="somebody"),
        lambda entry: replace(entry, hash="0" * 43),
        lambda entry: replace(entry, occurred_at=SOON),
    ],
)
def test_a_changed_entry_no_longer_matches_its_hash(tamper: Callable[[Entry], Entry]) -> None:
    journal = a_life().entries
    changed = tamper(journal[3])
    assert findings([*journal[:3], changed]) == [("entry 4", "hash", "does not match the entry's content")]


def test_balances_that_do_not_follow_are_found_even_when_the_hashes_fit() -> None:
    journal = a_life().entries
    richer = replace(journal[3], after=journal[3].after + Amounts(available=1, earned=1))
    assert findings(resealed([*journal[:3], richer])) == [
        ("entry 4", "after", "is not the state before plus the change")
    ]


def test_changed_words_are_found() -> None:
    journal = a_life().entries
    assert journal[1].private is not None
    reworded = replace(journal[1], private=replace(journal[1].private, reason="Sorry"))
    assert findings([journal[0], reworded, *journal[2:]]) == [("entry 2", "private", "does not match its digest")]


def test_missing_words_are_found_unless_the_member_was_erased() -> None:
    """R25."""
    sarah = a_life()
    wordless = [replace(entry, private=None) for entry in sarah.entries]
    missing = "is missing, and the member was not erased"
    assert findings(wordless) == [("entry 1", "private", missing), ("entry 2", "private", missing)]
    erased = sarah.does(Erase())
    assert findings([*wordless, erased]) == []


def test_an_effect_that_does_not_fit_ends_the_proof_where_it_stands() -> None:
    sarah = a_life()
    spent_twice = Effect(EntryKind.SPEND, Amounts(available=-31, spent=31), {"never": -31})
    journal = forged(sarah.entries, spent_twice)
    proof = prove(CANDLES, SARAH, [*journal, journal[0]])
    assert proof.findings == (
        Finding("entry 5", "effect", "does not fit the state before it: a lot cannot be negative"),
    )
    assert proof.member.version == 4


def test_an_effect_that_closes_what_is_not_open_does_not_fit() -> None:
    effect = Effect(EntryKind.CANCEL, closed={"other": 7})
    assert findings(forged(a_life().entries, effect)) == [
        ("entry 5", "effect", "does not fit the state before it: 'other'")
    ]


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        (
            Effect(EntryKind.EARN, Amounts(available=5), {"never": 5}),
            "makes points appear or vanish",
        ),
        (
            Effect(EntryKind.EARN, Amounts(available=5, earned=5), {"never": 4}),
            "leaves lots that are not the available points",
        ),
        (
            Effect(EntryKind.PEND, Amounts(pending=5), pendings={"more": Pending(4, SOON)}),
            "leaves pendings that are not the pending points",
        ),
        (
            Effect(
                EntryKind.HOLD,
                Amounts(available=-5, held=5),
                {"never": -5},
                holds={"cart": Hold(4, {"never": 4}, SOON)},
            ),
            "leaves holds that are not the held points",
        ),
    ],
)
def test_an_effect_that_breaks_a_sum_is_found_even_when_all_else_fits(effect: Effect, message: str) -> None:
    assert findings(forged(a_life().entries, effect)) == [("entry 5", "effect", message)]


def test_sums_are_checked_on_every_entry_not_only_the_last() -> None:
    sarah = a_life()
    sarah.does(PlaceHold("cart", 5, SOON))
    sarah.does(Release("cart"))
    journal = sarah.entries
    wrong = replace(journal[1], effect=replace(journal[1].effect, change=Amounts(available=50, earned=51)))
    assert ("entry 2", "effect", "makes points appear or vanish") in findings([journal[0], wrong, *journal[2:]])


def test_a_debt_has_no_lots() -> None:
    debt = Effect(EntryKind.ADJUST, Amounts(available=-40, deducted=40), {"never": -30})
    assert findings(forged(a_life().entries, debt)) == []
