"""``decide`` itself: what every posting carries, introductions, and that refusals and decisions are pure."""

import pickle
from dataclasses import replace

import pytest

from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import Earn, Identify, Introduction, Notify, Spend
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Posting, Refusal
from loyalty.domain.ledger.entry import EntryKind, Source
from loyalty.domain.ledger.member import Profile, Standing
from tests.builders import a_command
from tests.journey import Journey, at

SARAH = Introduction({"email": "sarah@klaviyo-demo.com"}, Standing.CANDIDATE)


def test_a_posting_tells_the_whole_story_of_its_command() -> None:
    sarah = Journey(now=at("2026-03-02T12:00:00.000999"))
    command = a_command(Earn(5), key="order-7", reason="Order", event_type="points_earned_order")
    command = replace(command, narrative=replace(command.narrative, occurred_at=at("2026-03-01T09:00:00.123456")))
    posting = sarah.decides(command)
    assert isinstance(posting, Posting)
    entry = posting.entry
    assert (entry.program, entry.member_id, entry.seq) == ("candles", "sarah", 1)
    assert (entry.source, entry.actor, entry.event_type) == (Source("test"), "tester", "points_earned_order")
    assert (entry.key, entry.request_digest) == (command.key.text, command.request_digest)
    assert entry.occurred_at == at("2026-03-01T09:00:00.123")
    assert entry.recorded_at == at("2026-03-02T12:00")
    assert entry.after == Amounts(available=5, earned=5)
    assert posting.before is sarah.member


def test_the_same_question_has_the_same_answer_and_changes_nothing() -> None:
    sarah = Journey()
    sarah.does(Earn(5))
    command, before = a_command(Spend(3)), pickle.dumps(sarah.member)
    first = decide(sarah.member, command, sarah.terms, sarah.now, "salt")
    assert decide(sarah.member, command, sarah.terms, sarah.now, "salt") == first
    assert isinstance(decide(sarah.member, a_command(Spend(9)), sarah.terms, sarah.now, "salt"), Refusal)
    assert pickle.dumps(sarah.member) == before


def test_a_newcomer_enters_with_the_first_entry() -> None:
    sarah = Journey()
    entry = sarah.does(Earn(5), introduction=SARAH)
    assert (entry.kind, entry.effect.standing) == (EntryKind.EARN, Standing.CANDIDATE)
    assert entry.private is not None
    assert entry.private.profile == {"email": "sarah@klaviyo-demo.com"}
    assert (sarah.member.standing, sarah.member.profile) == (
        Standing.CANDIDATE,
        Profile(email="sarah@klaviyo-demo.com"),
    )
    assert sarah.member.created_at == sarah.now


def test_nobody_is_introduced_twice() -> None:
    sarah = Journey()
    sarah.does(Earn(5))
    created = sarah.member.created_at
    entry = sarah.waits(days=1).does(Earn(5), introduction=SARAH)
    assert (entry.private, entry.effect.standing) == (None, None)
    assert (sarah.member.standing, sarah.member.profile) == (Standing.MEMBER, Profile())
    assert sarah.member.created_at == created


def test_what_a_command_says_of_a_newcomer_wins_over_the_introduction() -> None:
    sarah = Journey()
    action = Identify({"email": "mason@klaviyo-demo.com", "first_name": "Sarah"}, Standing.EXCLUDED)
    sarah.does(action, introduction=SARAH)
    assert sarah.member.profile == Profile(email="mason@klaviyo-demo.com", first_name="Sarah")
    assert sarah.member.standing is Standing.EXCLUDED


def test_a_newcomer_who_is_said_to_be_a_member_is_one() -> None:
    """Although somebody unknown counts as a member already."""
    sarah = Journey()
    sarah.does(Identify(standing=Standing.MEMBER), introduction=SARAH)
    assert sarah.member.standing is Standing.MEMBER


def test_a_newcomer_who_is_identified_without_a_standing_gets_the_programs() -> None:
    sarah = Journey()
    sarah.does(Identify({"first_name": "Sarah"}), introduction=SARAH)
    assert sarah.member.standing is Standing.CANDIDATE


def test_a_refused_newcomer_is_nobody() -> None:
    sarah = Journey()
    assert sarah.refuses(Spend(5), introduction=SARAH).code == "insufficient_points"
    assert sarah.member.version == 0


def test_every_action_leaves_other_parts_of_the_member_alone() -> None:
    sarah = Journey()
    sarah.does(Earn(5))
    before = sarah.member
    entry = sarah.waits(days=1).does(Notify("warned"))
    assert sarah.member == replace(before, version=2, last_hash=entry.hash)


def test_a_time_without_a_zone_is_a_mistake() -> None:
    sarah = Journey()
    with pytest.raises(ValueError, match="a time without a zone"):
        decide(sarah.member, a_command(Earn(5)), sarah.terms, sarah.now.replace(tzinfo=None), "salt")
