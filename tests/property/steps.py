"""What the ledger machine draws from: commands, terms, trouble and waiting, small enough to meet each other often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from loyalty.domain.errors import Transient
from loyalty.domain.identity import Address
from loyalty.domain.ledger.caps import CapPeriod, EarnCap
from loyalty.domain.ledger.commands import (
    Activate,
    Adjust,
    Cancel,
    Capture,
    Earn,
    Identify,
    Notify,
    Pend,
    PlaceHold,
    Release,
    Spend,
)
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Overdraft, Terms
from tests.fakes.clocks import START
from tests.fakes.troubled_ledger import Crash, Trouble

WHENEVER = START
"""Stands for a due time until the command is made, which knows the time."""


@dataclass(frozen=True)
class Wish:
    """A command to be: what, for whom, under which key."""

    action: Any
    address: Address
    shop: int = 0
    newcomer: bool = True
    natural: bool = False
    reason: str = ""
    due_in: timedelta = timedelta()
    key: str = ""
    which: int = 0
    points: int | None = None
    by_member_id: bool = False
    any_kind: bool = False


def email(name: str) -> Address:
    """Somebody's e-mail address."""
    return Address("email", f"{name}@klaviyo-demo.com")


def name_of(address: Address) -> tuple[str, str]:
    """An address in the one form that the naive ledger knows."""
    return (address.kind, address.value.strip().lower() if address.kind == "email" else address.value)


shops = st.sampled_from([0] * 9 + [1])
names = st.sampled_from(["ann", "ann", "ann", "bob", "bob", "cyd"])
new_names = st.sampled_from(["ann", "bob", "cyd", "dan", "eve"])
choices = st.integers(0, 40)
much = st.integers(5, 60)
little = st.integers(1, 15)
no_points = st.sampled_from([0, -1, 1_000_000_001])
some_points = st.one_of(st.none(), little, little, st.sampled_from([0, 40]))
claim_names = st.sampled_from(["a", "b", "c", "d"])

emails = st.one_of(
    names.map(email),
    names.map(email),
    names.map(lambda name: Address("email", f" {name.upper()}@Klaviyo-Demo.com ")),
)
other_names = st.sampled_from(
    [Address("external_id", "x-1"), Address("external_id", "x-2"), Address("phone", "+49151")]
)
addresses = st.one_of(*[emails] * 11, other_names)

caps = st.lists(
    st.builds(
        EarnCap,
        st.sampled_from(CapPeriod),
        times=st.sampled_from([None, 1, 3]),
        points=st.sampled_from([None, 20, 50]),
    ),
    min_size=1,
    max_size=2,
).map(tuple)

earnings = st.one_of(st.builds(Earn, much), st.builds(Earn, much, st.sampled_from(["review", "order"]), caps))
spendings = st.builds(Spend, little)
pendings = st.builds(Pend, claim_names, much, st.just(WHENEVER))
holds = st.builds(PlaceHold, claim_names, little, st.just(WHENEVER))
corrections = st.builds(Adjust, st.one_of(little, st.integers(-60, -1)))
endings = st.one_of(
    st.builds(Activate, claim_names),
    st.builds(Cancel, claim_names, some_points),
    st.builds(Capture, claim_names, some_points),
    st.builds(Release, claim_names),
)
mistakes = st.one_of(
    st.builds(Earn, no_points),
    st.builds(Spend, st.one_of(no_points, st.just(500))),
    st.builds(Adjust, st.sampled_from([0, -500, 1_000_000_001])),
    st.builds(Pend, claim_names, no_points, st.just(WHENEVER)),
    st.builds(PlaceHold, claim_names, st.one_of(no_points, st.just(500)), st.just(WHENEVER)),
)
notices = st.builds(Notify, st.just("told"))

due_times = st.sampled_from(
    [timedelta(0), timedelta(hours=6, microseconds=123_456), timedelta(days=2), timedelta(days=9), timedelta(days=90)]
)


def wishes_for(*actions: st.SearchStrategy[Any]) -> st.SearchStrategy[Wish]:
    """Commands of some kinds, for anybody."""
    return st.builds(
        Wish,
        st.one_of(*actions),
        addresses,
        shop=shops,
        newcomer=st.sampled_from([True, True, True, False]),
        natural=st.booleans(),
        reason=st.sampled_from(["", "Order 7", "Überraschung 🎁"]),
        due_in=due_times,
        which=choices,
    )


wishes = wishes_for(earnings, spendings, pendings, holds, corrections, endings, notices)

reversals = st.builds(
    Wish,
    st.none(),
    addresses,
    shop=shops,
    natural=st.booleans(),
    which=choices,
    points=some_points,
    by_member_id=st.sampled_from([True, True, True, False]),
    key=st.sampled_from(["", "", "", "refund-1"]),
    any_kind=st.sampled_from([False, False, False, True]),
)

profiles = st.fixed_dictionaries(
    {},
    optional={
        "email": st.one_of(st.just(""), new_names.map(lambda name: email(name).value)),
        "external_id": st.sampled_from(["", "x-1", "x-2"]),
        "phone": st.sampled_from(["", "+49151"]),
        "first_name": st.sampled_from(["", "Ann", "Zoë"]),
    },
)

identities = st.builds(
    Wish,
    st.builds(
        Identify,
        profiles,
        st.sampled_from([None] * 6 + [Standing.MEMBER] * 3 + [Standing.EXCLUDED, Standing.CANDIDATE, Standing.ERASED]),
    ),
    addresses,
    shop=shops,
    natural=st.booleans(),
    reason=st.sampled_from(["", "Profile page"]),
)

policies = st.sampled_from(
    [
        NoExpiry(),
        NoExpiry(),
        AfterEarning(Period(days=9)),
        AfterEarning(Period(months=1)),
        AfterEarning(Period(months=13, days=5)),
        Inactivity(Period(days=12)),
        Inactivity(Period(months=2)),
        Calendar(12, 31),
        Calendar(4, 30, keep_days=20),
        Calendar(2, 29),
    ]
)

terms = st.builds(
    Terms,
    timezone=st.sampled_from(["UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu", "America/Havana"]),
    expiry=policies,
    balance_cap=st.sampled_from([None, None, 40, 100]),
    overdraft=st.sampled_from(Overdraft),
    restored_days=st.sampled_from([0, 1, 30]),
)
term_changes = st.sampled_from(["expiry", "expiry", "balance_cap", "overdraft", "restored_days", "timezone"])
most_lots = st.sampled_from([2, 4, 100])
newcomers = st.sampled_from([Standing.MEMBER, Standing.CANDIDATE])

moments = st.one_of(
    st.integers(1, 30).map(lambda hours: timedelta(hours=hours)),
    st.sampled_from([timedelta(milliseconds=1), timedelta(minutes=59, microseconds=7)]),
)
ages = st.one_of(*[st.integers(1, 12)] * 4, st.integers(13, 400)).map(lambda days: timedelta(days=days))

troubles = st.one_of(
    st.none(),
    st.none(),
    st.none(),
    st.builds(
        Trouble,
        st.sampled_from([1, 2, 2, 3, 3, 4, 5, 7]),
        st.sampled_from(["before", "after"]),
        st.sampled_from([Crash("the process ended"), Transient("nobody knows what happened")]),
    ),
)
