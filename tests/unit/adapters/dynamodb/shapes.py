"""Generated members, entries and records of every shape the domain allows."""

from __future__ import annotations

import base64
from datetime import timedelta

from hypothesis import strategies as st

from loyalty.domain.identity import MemberId, ProgramSlug, entry_id
from loyalty.domain.ledger.amounts import AMOUNT_NAMES, Amounts
from loyalty.domain.ledger.entry import (
    Delivery,
    DeliveryState,
    Effect,
    Entry,
    EntryKind,
    Private,
    Reversal,
    Source,
)
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Earned, Hold, Member, Pending, Profile, Standing, Warned
from loyalty.domain.moments import whole_milliseconds
from loyalty.ports import KeyRecord, Receipt
from tests.fakes.clocks import START

slugs = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).map(ProgramSlug)
member_ids = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26).map(MemberId)
numbers = st.integers(min_value=1, max_value=9_999_999_999)
points = st.integers(min_value=-(10**15), max_value=10**15)
moments = st.timedeltas(timedelta(days=-25_000), timedelta(days=25_000)).map(lambda d: whole_milliseconds(START + d))
words = st.text(max_size=40)
names = st.text(min_size=1, max_size=12)
hashes = st.binary(min_size=32, max_size=32).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="))
digests = st.text("abcDEF012-_", min_size=22, max_size=22)
dates = st.dates().map(lambda day: day.isoformat()) | st.just(NEVER)
amounts = st.builds(Amounts, **dict.fromkeys(AMOUNT_NAMES, points))
lots = st.dictionaries(dates, points, max_size=4)
pendings = st.dictionaries(names, st.builds(Pending, points, moments), max_size=3)
holds = st.dictionaries(names, st.builds(Hold, points, lots, moments), max_size=3)
earned_in = st.dictionaries(names, st.builds(Earned, points, points), max_size=3)
warned = st.dictionaries(dates, st.builds(Warned, st.integers(0, 99), dates), max_size=3)
profiles = st.builds(Profile, **dict.fromkeys(Profile.__dataclass_fields__, words))

members = st.builds(
    Member,
    program=slugs,
    member_id=member_ids,
    version=numbers,
    last_hash=hashes,
    standing=st.sampled_from(Standing),
    amounts=amounts,
    lots=lots.map(lambda found: {day: held for day, held in sorted(found.items()) if held}),
    pendings=pendings,
    holds=holds,
    earned_in=earned_in,
    warned=warned,
    expiry_revision=st.integers(0, 9),
    birthday_since=st.none() | moments,
    birthday_done=st.just("") | dates,
    profile=profiles,
    merged_into=st.just("") | member_ids,
    created_at=st.none() | moments,
    last_activity_at=st.none() | moments,
)

effects = st.builds(
    Effect,
    kind=st.sampled_from(EntryKind),
    change=amounts,
    lots=lots,
    redated=lots,
    pendings=pendings,
    holds=holds,
    closed=st.dictionaries(names, points, max_size=3),
    consumed=lots,
    earned_in=earned_in,
    warned=warned,
    rule=words,
    topic=words,
    reverses=words,
    shortfall=points,
    standing=st.none() | st.sampled_from(Standing),
    expiry_revision=st.none() | st.integers(0, 9),
    merged_into=st.just("") | member_ids,
    birthday_done=st.just("") | dates,
)

scalars = words | st.integers(-(2**53), 2**53) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
privates = st.builds(
    Private,
    salt=digests,
    reason=words,
    details=st.dictionaries(names, scalars, max_size=5),
    profile=st.dictionaries(st.sampled_from(sorted(Profile.__dataclass_fields__)), words, max_size=3),
)
deliveries = st.builds(Delivery, st.sampled_from(DeliveryState), st.none() | moments, words)
reversals = st.dictionaries(names, st.builds(Reversal, member_ids, numbers, points, digests), max_size=3)

entries = st.builds(
    Entry,
    program=slugs,
    member_id=member_ids,
    seq=numbers,
    effect=effects,
    after=amounts,
    source=st.builds(Source, names, words),
    actor=names,
    event_type=words,
    key=names,
    request_digest=digests,
    occurred_at=moments,
    recorded_at=moments,
    private_digest=st.just("") | hashes,
    previous_hash=st.just("") | hashes,
    hash=hashes,
    private=st.none() | privates,
    delivery=deliveries,
    reversals=reversals,
)


@st.composite
def records(draw: st.DrawFn) -> KeyRecord:
    """A record whose receipt names its own entry, and whose key says how long it lives."""
    member_id, seq, natural = draw(member_ids), draw(numbers), draw(st.booleans())
    key = draw(st.text("abcdef_", min_size=1, max_size=12)) + ("#" if natural else "~") + "k" * 27
    receipt = Receipt(
        member_id=member_id,
        seq=seq,
        entry_id=entry_id(member_id, seq),
        kind=draw(st.sampled_from(EntryKind)),
        points=draw(points),
        after=draw(amounts),
        recorded_at=draw(moments),
    )
    return KeyRecord(key, natural, draw(digests), receipt)
