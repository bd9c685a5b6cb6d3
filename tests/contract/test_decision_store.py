"""DecisionStore: one record a review under all its names, and what limits and checks remember, changed together."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from loyalty.adapters.dynamodb import keys
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.domain.review_tally import Counted, Tally
from loyalty.review_ports import ReviewChange
from tests.contract.storage import Storage, TableStorage
from tests.fakes.clocks import START

CANDLES = ProgramSlug("candles")
SARAH = MemberId("sarah")
REFUSED = ReviewDecision(
    review_key="7d9f1c52",
    outcome="refused",
    code="not_verified",
    message="The review app does not mark this review as verified.",
    rule_version=3,
    event_id="01HF7AYTK76RHR4F17G6DGTRGF",
    member_id=SARAH,
    decided_at=START,
    submitted_at=START,
)
EVERYTHING = replace(
    REFUSED,
    outcome="awarded",
    fix="Nothing.",
    worth=80,
    points=70,
    posted=80,
    turn=1,
    entries=("sarah-0000000001", "sarah-0000000002"),
    status="published",
    status_at=START + timedelta(seconds=5),
    status_reason="fake",
    published=True,
    source="judgeme",
    way="poll",
    names=("evt1", "evt2"),
    joined=("evt2",),
    text="digest",
)


def changing(decision: ReviewDecision, **more: object) -> ReviewChange:
    return replace(ReviewChange(CANDLES, decision), **more)  # type: ignore[arg-type]


def written(key: str, at: datetime) -> ReviewDecision:
    return replace(REFUSED, review_key=key, submitted_at=at)


def test_a_review_without_a_decision_has_none(storage: Storage) -> None:
    assert storage.decisions.load(CANDLES, "unknown") is None
    assert storage.decisions.find(CANDLES, ["unknown", "another"]) == {}
    assert storage.decisions.tally(CANDLES, SARAH) == Tally()
    assert storage.decisions.first_with_text(CANDLES, "digest") == ""
    assert storage.decisions.of_member(CANDLES, SARAH, before="", limit=5) == ([], "")


@pytest.mark.parametrize("decision", [REFUSED, EVERYTHING, replace(REFUSED, outcome="unusable", member_id="")])
def test_a_decision_comes_back_as_it_was_stored(storage: Storage, decision: ReviewDecision) -> None:
    stored = storage.decisions.commit(changing(decision))
    assert stored == replace(decision, version=1)
    assert storage.decisions.load(CANDLES, decision.review_key) == stored


def test_a_decision_is_changed_by_whoever_read_the_newest(storage: Storage) -> None:
    """Two workers with messages of the same review: one of them reads again."""
    first = storage.decisions.commit(changing(REFUSED))
    second = storage.decisions.commit(changing(replace(first, code="too_short")))
    assert second.version == 2
    for outdated in (REFUSED, first):
        with pytest.raises(Conflict):
            storage.decisions.commit(changing(replace(outdated, code="staff")))
    assert storage.decisions.load(CANDLES, REFUSED.review_key) == second


def test_every_name_leads_to_the_one_record(storage: Storage) -> None:
    stored = storage.decisions.commit(changing(REFUSED, new_names=("evt1", "evt2")))
    names = [REFUSED.review_key, "evt1", "evt2"]
    assert storage.decisions.find(CANDLES, [*names, "evt3"]) == dict.fromkeys(names, stored)


def test_a_name_leads_to_one_review_only(storage: Storage) -> None:
    """Of two reviews that claim a name at once, one is turned away with everything else it wanted to change."""
    storage.decisions.commit(changing(REFUSED, new_names=("evt1",)))
    other = replace(REFUSED, review_key="another")
    for change in (changing(other, new_names=("evt1",)), changing(replace(REFUSED, review_key="evt1"))):
        with pytest.raises(Conflict):
            storage.decisions.commit(change)
    assert storage.decisions.load(CANDLES, "another") is None


def test_two_records_become_one(storage: Storage) -> None:
    """All names of both lead to it, and a worker that still holds the one that went is turned away."""
    kept = storage.decisions.commit(changing(REFUSED))
    gone = storage.decisions.commit(changing(replace(REFUSED, review_key="evt1"), new_names=("evt2",)))
    one = storage.decisions.commit(changing(replace(kept, names=("evt1", "evt2")), replaced=(gone,)))
    assert storage.decisions.find(CANDLES, ["evt1", "evt2"]) == {"evt1": one, "evt2": one}
    with pytest.raises(Conflict):
        storage.decisions.commit(changing(replace(gone, code="staff")))


def test_a_tally_changes_with_the_decision_or_not_at_all(storage: Storage) -> None:
    """So that limits hold whoever decides at the same time."""
    tally = Tally().with_review(Counted(REFUSED.review_key, START, "candle")).with_review(Counted("bare", START))
    storage.decisions.commit(changing(REFUSED, tally=tally))
    stored = storage.decisions.tally(CANDLES, SARAH)
    assert stored == replace(tally, version=1)
    with pytest.raises(Conflict):
        storage.decisions.commit(changing(replace(REFUSED, review_key="another"), tally=tally))
    assert storage.decisions.load(CANDLES, "another") is None
    storage.decisions.commit(changing(replace(REFUSED, review_key="another"), tally=replace(stored, older=4)))
    assert storage.decisions.tally(CANDLES, SARAH) == replace(stored, older=4, version=2)


def test_a_text_belongs_to_the_review_that_had_it_first(storage: Storage) -> None:
    storage.decisions.commit(changing(REFUSED, text="digest"))
    assert storage.decisions.first_with_text(CANDLES, "digest") == REFUSED.review_key
    with pytest.raises(Conflict):
        storage.decisions.commit(changing(replace(REFUSED, review_key="another"), text="digest"))


def test_a_members_decisions_come_newest_review_first_in_pages(storage: Storage) -> None:
    """R113: by when the reviews were written, each in its newest state, told once although it was taken for two."""
    stored = [storage.decisions.commit(changing(written(f"r{n}", START + timedelta(hours=n)))) for n in range(5)]
    newest = storage.decisions.commit(changing(replace(stored[1], code="staff")))
    storage.decisions.commit(changing(replace(REFUSED, review_key="bills", member_id="bill")))
    first, cursor = storage.decisions.of_member(CANDLES, SARAH, before="", limit=3)
    rest, end = storage.decisions.of_member(CANDLES, SARAH, before=cursor, limit=3)
    assert [*first, *rest] == [stored[4], stored[3], stored[2], newest, stored[0]]
    assert end == ""


def test_merged_members_are_counted_and_listed_together(storage: Storage) -> None:
    """W13, R105: however often that is done."""
    bill, later = MemberId("bill"), START + timedelta(hours=1)
    for member_id, key, at in ((SARAH, "hers", START), (bill, "his", later)):
        decision = replace(written(key, at), member_id=member_id)
        storage.decisions.commit(changing(decision, tally=Tally((Counted(key, at, "candle"),), older=1)))
    for _ in range(2):
        storage.decisions.join(CANDLES, bill, SARAH)
    together = storage.decisions.tally(CANDLES, SARAH)
    assert (together.reviews, together.older) == (
        (Counted("hers", START, "candle"), Counted("his", later, "candle")),
        2,
    )
    assert storage.decisions.tally(CANDLES, bill).ever() == 0
    listed, _ = storage.decisions.of_member(CANDLES, SARAH, before="", limit=5)
    assert [decision.review_key for decision in listed] == ["his", "hers"]
    storage.decisions.join(ProgramSlug("soap"), bill, SARAH)
    assert storage.decisions.tally(ProgramSlug("soap"), SARAH) == Tally()


def test_erasure_leaves_that_it_was_decided_and_nothing_that_was_said(storage: Storage) -> None:
    """R25: the review pays no second time; its text, its words and the member's list are gone. Twice is once."""
    tally = Tally().with_review(Counted(EVERYTHING.review_key, START, "candle"))
    storage.decisions.commit(changing(EVERYTHING, tally=tally, text="digest"))
    for _ in range(2):
        storage.decisions.forget(CANDLES, SARAH)
    left = storage.decisions.load(CANDLES, EVERYTHING.review_key)
    assert left
    assert replace(left, version=0) == replace(
        EVERYTHING, message="", fix="", status_reason="", text="", forgotten=True
    )
    assert storage.decisions.tally(CANDLES, SARAH) == Tally()
    assert storage.decisions.first_with_text(CANDLES, "digest") == ""
    assert storage.decisions.of_member(CANDLES, SARAH, before="", limit=5) == ([], "")


def test_decisions_are_told_apart_by_review_and_program(storage: Storage) -> None:
    storage.decisions.commit(changing(REFUSED))
    assert storage.decisions.load(CANDLES, f"{REFUSED.review_key}#") is None
    assert storage.decisions.load(ProgramSlug("soaps"), REFUSED.review_key) is None


def test_a_refusal_of_a_release_before_is_read_and_changed(table_storage: TableStorage) -> None:
    """It counted no versions."""
    key = keys.decision(CANDLES, REFUSED.review_key)
    facts = {"review_key": REFUSED.review_key, "outcome": "refused", "code": "not_verified", "message": "No."}
    more = {"rule_version": 1, "event_id": "", "member_id": SARAH, "decided_at": "2026-03-02T12:00:00.000Z"}
    table_storage.put({"pk": key.pk, "sk": key.sk, "type": "decision", "program": CANDLES, **facts, **more})
    before = table_storage.decisions.load(CANDLES, REFUSED.review_key)
    assert before
    assert (before.version, before.submitted_at, before.names) == (0, None, ())
    stored = table_storage.decisions.commit(changing(replace(before, code="staff")))
    with pytest.raises(Conflict):
        table_storage.decisions.commit(changing(before))
    assert table_storage.decisions.load(CANDLES, REFUSED.review_key) == stored


def test_a_refusal_of_a_release_before_becomes_a_name_of_another_record(table_storage: TableStorage) -> None:
    key = keys.decision(CANDLES, "evt1")
    facts = {"review_key": "evt1", "outcome": "refused", "code": "not_verified", "message": "No.", "rule_version": 1}
    more = {"event_id": "", "member_id": SARAH, "decided_at": "2026-03-02T12:00:00.000Z"}
    table_storage.put({"pk": key.pk, "sk": key.sk, "type": "decision", "program": CANDLES, **facts, **more})
    old = table_storage.decisions.load(CANDLES, "evt1")
    assert old
    kept = table_storage.decisions.commit(changing(REFUSED))
    one = table_storage.decisions.commit(changing(kept, replaced=(old,)))
    assert table_storage.decisions.load(CANDLES, "evt1") == one
