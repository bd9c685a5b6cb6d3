"""LedgerStore: identities that point at members, merges of two members, and what erasure removes (W13, R25)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loyalty.domain.errors import Conflict, Duplicate
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.commands import Earn, Identify, MergeIn, MergeOut, Spend
from loyalty.domain.ledger.member import Standing
from loyalty.ports import Claim, Plan, Redirect
from tests.builders import a_program
from tests.contract.storage import Pen

PHONE = "+4915112345678"


def claim(pen: Pen, name: str, kind: str = "phone", value: str = PHONE) -> Claim:
    return Claim(kind, value, pen.id_of(name))


def merge_plan(pen: Pen, ending: str, staying: str) -> Plan:
    """Both postings of a merge in one plan, as the merge service makes it."""
    out = pen.draft(ending, MergeOut(pen.id_of(staying)), key="merge", natural=True)
    into = pen.draft(staying, MergeIn(pen.member(ending)), key="merge", natural=True)
    return replace(into, postings=(*out.postings, *into.postings), deliveries=(*out.deliveries, *into.deliveries))


def test_a_claim_finds_its_member(pen: Pen) -> None:
    pen.write("sarah", Earn(10), claims=(claim(pen, "sarah"), claim(pen, "sarah", "external_id", "c-1")))
    store, sarah = pen.storage.ledger, pen.id_of("sarah")
    assert store.claimed_by(pen.program, "phone", PHONE) == sarah
    assert store.claimed_by(pen.program, "external_id", "c-1") == sarah
    assert store.claimed_by(pen.program, "external_id", PHONE) is None


def test_a_claim_can_be_repeated_by_its_member(pen: Pen) -> None:
    for _ in range(2):
        pen.write("sarah", Earn(10), claims=(claim(pen, "sarah"),))
    assert pen.storage.ledger.claimed_by(pen.program, "phone", PHONE) == pen.id_of("sarah")


def test_a_claim_is_not_taken_from_somebody_else(pen: Pen) -> None:
    """And nothing else of the plan happens."""
    pen.write("sarah", Earn(10), claims=(claim(pen, "sarah"),))
    with pytest.raises(Conflict):
        pen.write("bill", Earn(10), key="bill", claims=(claim(pen, "bill"),))
    assert pen.storage.ledger.claimed_by(pen.program, "phone", PHONE) == pen.id_of("sarah")
    assert pen.storage.ledger.find(pen.program.slug, pen.id_of("bill")) is None
    assert pen.record("bill") is None


def test_a_claim_that_was_given_up_is_free(pen: Pen) -> None:
    pen.write("sarah", Earn(10), claims=(claim(pen, "sarah"),))
    pen.write("sarah", Identify({}), claims=(Claim("phone", PHONE, ""),))
    assert pen.storage.ledger.claimed_by(pen.program, "phone", PHONE) is None
    pen.write("bill", Earn(10), claims=(claim(pen, "bill"),))
    assert pen.storage.ledger.claimed_by(pen.program, "phone", PHONE) == pen.id_of("bill")


def test_claims_of_two_programs_are_two_claims(pen: Pen) -> None:
    pen.write("sarah", Earn(10), claims=(claim(pen, "sarah"),))
    soaps = a_program(slug=ProgramSlug("soaps"), id_key="ffeeddccbbaa99887766554433221100")
    assert pen.storage.ledger.claimed_by(soaps, "phone", PHONE) is None


# Merges


def test_a_merge_writes_both_journals_at_once(pen: Pen) -> None:
    pen.write("sarah", Earn(100))
    pen.write("bill", Earn(40))
    plan = merge_plan(pen, "sarah", "bill")
    pen.storage.ledger.commit(plan)
    leaving, joining = plan.postings
    assert (pen.member("sarah"), pen.member("bill")) == (leaving.after, joining.after)
    assert pen.member("sarah").standing is Standing.MERGED
    assert pen.member("bill").amounts.available == 140
    assert [len(pen.journal(name)) for name in ("sarah", "bill")] == [2, 2]
    assert pen.record("merge", natural=True) == plan.record


@pytest.mark.parametrize("changed", ["sarah", "bill"])
def test_a_merge_of_a_member_that_changed_meanwhile_changes_neither(pen: Pen, changed: str) -> None:
    pen.write("sarah", Earn(100))
    pen.write("bill", Earn(40))
    plan = merge_plan(pen, "sarah", "bill")
    pen.write(changed, Spend(10))
    before = (pen.member("sarah"), pen.member("bill"))
    with pytest.raises(Conflict):
        pen.storage.ledger.commit(plan)
    assert (pen.member("sarah"), pen.member("bill")) == before
    assert pen.record("merge", natural=True) is None


def test_a_merge_happens_once(pen: Pen) -> None:
    pen.write("sarah", Earn(100))
    pen.write("bill", Earn(40))
    plan = merge_plan(pen, "sarah", "bill")
    pen.storage.ledger.commit(plan)
    with pytest.raises(Duplicate) as duplicate:
        pen.storage.ledger.commit(plan)
    assert duplicate.value.first == plan.record
    assert pen.member("bill").amounts.available == 140


# Erasure


def test_forgotten_words_leave_the_rest_of_the_entry(pen: Pen) -> None:
    """R25: the hash covers a digest of the words, so the chain does not notice."""
    pen.write("sarah", Earn(10), reason="For Sarah")
    pen.write("sarah", Earn(20), reason="For Sarah again")
    first, second = pen.journal("sarah")
    pen.storage.ledger.forget_words(first)
    assert pen.journal("sarah") == [replace(first, private=None), second]
    pen.storage.ledger.forget_words(first)
    assert pen.journal("sarah") == [replace(first, private=None), second]


def test_forgotten_addresses_lead_nowhere(pen: Pen) -> None:
    sarah, former = pen.id_of("sarah"), pen.id_of("former")
    pen.write("sarah", Earn(10), claims=(claim(pen, "sarah"),), redirects=((former, sarah),))
    for _ in range(2):
        pen.storage.ledger.forget_addresses(pen.program, [claim(pen, "sarah")], [former])
        assert pen.storage.ledger.claimed_by(pen.program, "phone", PHONE) is None
        assert pen.storage.ledger.find(pen.program.slug, former) is None
    assert pen.member("sarah").version == 1


def test_forgetting_addresses_leaves_those_of_others_alone(pen: Pen) -> None:
    """A claim somebody else has by now, and an id under which a member lives."""
    pen.write("sarah", Earn(10))
    pen.write("bill", Earn(10), claims=(claim(pen, "bill"),))
    bill = pen.member("bill")
    pen.storage.ledger.forget_addresses(pen.program, [claim(pen, "sarah")], [pen.id_of("bill")])
    assert pen.storage.ledger.claimed_by(pen.program, "phone", PHONE) == pen.id_of("bill")
    assert pen.member("bill") == bill


def test_forgetting_a_redirect_frees_the_address(pen: Pen) -> None:
    sarah, former = pen.id_of("sarah"), pen.id_of("former")
    pen.write("sarah", Earn(10), redirects=((former, sarah),))
    pen.storage.ledger.forget_addresses(pen.program, [], [former])
    pen.write("bill", Earn(10), redirects=((former, pen.id_of("bill")),))
    assert pen.storage.ledger.find(pen.program.slug, former) == Redirect(pen.id_of("bill"))
