"""Key strings: readable, in order, and never the same for two different things."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loyalty.adapters.dynamodb import keys
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import CommandKey
from tests.fakes.clocks import START
from tests.unit.adapters.dynamodb.shapes import member_ids, moments, numbers, slugs

SLUG = ProgramSlug("candles")
MEMBER = MemberId("25tvowdoccvvntut4pttqb5azo")

things = st.one_of(
    st.tuples(st.just("settings"), slugs),
    st.tuples(st.just("connection"), slugs),
    st.tuples(st.just("member"), slugs, member_ids),
    st.tuples(st.just("entry"), slugs, member_ids, numbers),
    st.tuples(st.just("record"), slugs, st.builds(CommandKey, st.text(max_size=9), st.text(max_size=9), st.booleans())),
    st.tuples(
        st.just("alias"), slugs, st.sampled_from(["external_id", "phone"]), st.text("0123456789abcdef", max_size=9)
    ),
    st.tuples(st.just("decision"), slugs, st.text(max_size=9)),
)


def key_of(thing: tuple[Any, ...]) -> keys.Key:
    kind, slug, *parts = thing
    if kind == "record":
        parts = [part.text for part in parts]
    made = getattr(keys, kind)(slug, *parts)
    assert isinstance(made, keys.Key)
    return made


def feed_position(thing: tuple[str, ProgramSlug, MemberId, int, datetime]) -> tuple[str, str]:
    kind, slug, member, seq, moment = thing
    if kind == "feed":
        return keys.feed_pk(slug, moment), keys.entry_feed_sk(member, seq, moment)
    if kind == "event":
        return keys.owed_event_pk(slug, member), keys.entry_feed_sk(member, seq, moment)
    return keys.owed_profile_pk(slug, member), keys.profile_feed_sk(member, moment)


@given(st.lists(things, unique=True, max_size=30))
def test_no_two_things_have_the_same_key(different: list[tuple[Any, ...]]) -> None:
    found = {key_of(thing) for thing in different}
    assert len(found) == len(different)


@given(things)
def test_a_key_is_no_longer_than_dynamodb_takes(thing: tuple[Any, ...]) -> None:
    key = key_of(thing)
    assert 0 < len(key.pk.encode()) <= 2048
    assert 0 < len(key.sk.encode()) <= 1024


@given(st.sampled_from(["feed", "event", "profile"]), slugs, member_ids, numbers, moments)
def test_no_two_positions_in_the_feed_are_the_same(
    kind: str, slug: ProgramSlug, member: MemberId, seq: int, moment: datetime
) -> None:
    """Changing any one part of what is listed changes its place."""
    here = feed_position((kind, slug, member, seq, moment))
    other = MemberId("a" * 26) if member != "a" * 26 else MemberId("b" * 26)
    slug_too = ProgramSlug(f"{slug[:60]}-2")
    elsewhere = [
        (kind, slug_too, member, seq, moment),
        (kind, slug, other, seq, moment),
        (kind, slug, member, seq, moment + timedelta(milliseconds=1)),
    ]
    if kind != "profile":
        elsewhere.append((kind, slug, member, seq + 1, moment))
    assert here not in {feed_position(thing) for thing in elsewhere}


@given(slugs, member_ids, moments, slugs, member_ids, moments)
def test_two_members_never_share_a_due_position(
    slug: ProgramSlug, member: MemberId, moment: datetime, slug_2: ProgramSlug, member_2: MemberId, moment_2: datetime
) -> None:
    one = (keys.due_pk(member), keys.due_sk(slug, member, moment))
    two = (keys.due_pk(member_2), keys.due_sk(slug_2, member_2, moment_2))
    assert (one == two) is ((slug, member, moment) == (slug_2, member_2, moment_2))


@given(numbers, numbers)
def test_entries_sort_by_number(one: int, two: int) -> None:
    assert (keys.entry_sk(one) < keys.entry_sk(two)) is (one < two)


@given(moments, moments)
def test_feed_and_due_sort_by_time(one: datetime, two: datetime) -> None:
    if one < two:
        assert keys.entry_feed_sk(MEMBER, 9, one) < keys.entry_feed_sk(MEMBER, 1, two)
        assert keys.profile_feed_sk(MEMBER, one) < keys.profile_feed_sk(MEMBER, two)
        assert keys.due_sk(SLUG, MEMBER, one) < keys.due_sk(SLUG, MEMBER, two)


def test_keys_read_as_documented() -> None:
    assert keys.settings(SLUG) == keys.Key("PROGRAM#candles", "SETTINGS")
    assert keys.connection(SLUG) == keys.Key("PROGRAM#candles", "CONNECTION")
    assert keys.member(SLUG, MEMBER) == keys.Key(f"MEMBER#candles#{MEMBER}", "MEMBER")
    assert keys.entry(SLUG, MEMBER, 7) == keys.Key(f"MEMBER#candles#{MEMBER}", "ENTRY#0000000007")
    assert keys.record(SLUG, "review#abc") == keys.Key("IDEM#candles#review#abc", "IDEM")
    assert keys.alias(SLUG, "phone", "00ff") == keys.Key("ALIAS#candles#phone#00ff", "ALIAS")
    assert keys.feed_pk(SLUG, START) == "FEED#candles#2026-03-02"
    assert keys.owed_pk(SLUG, "event", 3) == "OWED#candles#event#3"


def test_shards_are_even_and_stay_what_they_are() -> None:
    """A member whose shard changed would be looked for where it is not."""
    assert [keys.shard(MemberId(f"member-{number}"), 16) for number in range(6)] == [0, 11, 7, 11, 2, 15]
    counted = Counter(keys.shard(MemberId(f"member-{number}"), 16) for number in range(16_000))
    assert set(counted) == set(range(16))
    assert all(850 < members < 1150 for members in counted.values())
