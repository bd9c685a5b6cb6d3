"""The one posting path: keys and repeats, newcomers and addresses, due acts, what Klaviyo is owed (R93, W5, W13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty.domain.errors import Conflict, Invalid, KeyReused, NotFound
from loyalty.domain.identity import Address, Email, MemberId
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import (
    Adjust,
    Earn,
    Identify,
    Notify,
    Pend,
    PlaceHold,
    Spend,
)
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import DeliveryState, EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.ports import Receipt, Redirect
from tests.builders import BILL, SARAH, a_command, a_connection, a_program
from tests.worlds import World, fails_with

SOON = timedelta(days=3)


@pytest.fixture
def world() -> World:
    return World()


def test_a_receipt_says_what_was_written_and_what_is_left(world: World) -> None:
    world.does(SARAH, Earn(50))
    receipt = world.does(SARAH, Spend(20))
    entry = world.entry(receipt)
    assert receipt == Receipt(
        member_id=world.program.member_id(Email(SARAH.value)),
        seq=2,
        entry_id=entry.id,
        kind=EntryKind.SPEND,
        points=-20,
        after=Amounts(available=30, earned=50, spent=20),
        recorded_at=world.clock.now(),
        replayed=False,
    )


@pytest.mark.parametrize("natural", [False, True])
def test_a_repeat_answers_what_the_first_one_answered_whatever_has_happened_since(
    world: World, *, natural: bool
) -> None:
    """W5. The points are long gone: a second attempt would be refused, a repeat is not."""
    first = world.does(SARAH, Earn(50), key="order-7", natural=natural)
    bought = world.does(SARAH, Spend(50), key="cart-7", natural=natural)
    world.clock.advance(days=1)
    assert world.post(SARAH, Spend(50), key="cart-7", natural=natural) == replace(bought, replayed=True)
    assert world.post(SARAH, Earn(50), key="order-7", natural=natural) == replace(first, replayed=True)
    assert (world.amounts(SARAH), world.store.commits) == (Amounts(earned=50, spent=50), 2)


def test_a_callers_key_for_another_request_is_refused(world: World) -> None:
    world.does(SARAH, Earn(50), key="order-7")
    for again in (Earn(51), Adjust(50), Spend(999)):
        with pytest.raises(KeyReused, match="use a new key for a new request"):
            world.post(SARAH, again, key="order-7")
    assert world.store.commits == 1


def test_a_callers_key_for_another_member_is_another_request(world: World) -> None:
    world.does(SARAH, Earn(50), key="order-7")
    for address in (BILL, Address("external_id", "c-1")):
        with pytest.raises(KeyReused):
            world.post(address, Earn(50), key="order-7")
    assert world.ledger.find(world.program, BILL) is None


def test_an_address_written_another_way_is_the_same_request(world: World) -> None:
    world.does(SARAH, Earn(50), key="order-7")
    shouted = Address("email", f"  {SARAH.value.upper()} ")
    assert world.does(shouted, Earn(50), key="order-7").replayed


def test_a_natural_key_names_the_thing_itself_whatever_the_request_looks_like(world: World) -> None:
    """A review pays once, even if its points were changed or its author's address corrected meanwhile."""
    first = world.does(SARAH, Earn(50), key="review-7", natural=True)
    assert world.does(BILL, Earn(60), key="review-7", natural=True) == replace(first, replayed=True)
    assert world.ledger.find(world.program, BILL) is None


def test_a_refusal_is_not_remembered(world: World) -> None:
    """The same key may try again once the points are there."""
    world.does(SARAH, Earn(5))
    assert world.refuses(SARAH, Spend(9), key="cart-7").code == "insufficient_points"
    world.does(SARAH, Earn(5))
    assert not world.does(SARAH, Spend(9), key="cart-7").replayed


def test_keys_are_a_programs_own(world: World) -> None:
    world.does(SARAH, Earn(5), key="order-7")
    world.program = a_program(slug="soaps")
    assert not world.does(SARAH, Earn(5), key="order-7").replayed


def test_a_repeat_is_answered_after_erasure_too(world: World) -> None:
    """The person who comes back under the address is somebody new and does not get the points of the old order."""
    first = world.does(SARAH, Earn(50), key="order-7")
    world.erase(SARAH)
    assert world.does(SARAH, Earn(50), key="order-7") == replace(first, replayed=True)
    assert world.refuses(SARAH, Spend(1), newcomer=False).code == "unknown_member"


def test_a_newcomer_is_brought_in_by_address(world: World) -> None:
    world.program = a_program(newcomers=Standing.CANDIDATE)
    world.does(Address("email", " Sarah.Mason@klaviyo-demo.com"), Earn(5))
    member = world.ledger.find(world.program, SARAH)
    assert member is not None
    assert (member.profile.email, member.standing) == (SARAH.value, Standing.CANDIDATE)


def test_nobody_unknown_is_brought_in_unasked(world: World) -> None:
    refusal = world.refuses(SARAH, Earn(5), newcomer=False)
    assert refusal.code == "unknown_member"
    assert refusal.message == "Nobody in this program has this address."


@pytest.mark.parametrize("kind", ["external_id", "phone", "member"])
def test_a_newcomer_needs_an_email_address(world: World, kind: Any) -> None:
    assert world.refuses(Address(kind, "c-1"), Earn(5)).code == "unknown_member"


def test_a_refused_newcomer_leaves_no_trace(world: World) -> None:
    assert world.refuses(SARAH, Spend(5)).code == "insufficient_points"
    assert world.ledger.find(world.program, SARAH) is None


def test_a_malformed_address_is_an_error(world: World) -> None:
    with pytest.raises(Invalid):
        world.post(Address("email", "sarah"), Earn(5))


def test_a_member_is_found_by_every_identity(world: World) -> None:
    """W13."""
    receipt = world.does(SARAH, Earn(5))
    world.identify(SARAH, external_id="c-1", phone="+4915112345678")
    for address in (Address("external_id", "c-1"), Address("phone", "+4915112345678")):
        assert world.does(address, Earn(1)).member_id == receipt.member_id
    assert world.does(Address("member", receipt.member_id), Earn(1)).member_id == receipt.member_id
    assert world.refuses(Address("phone", "c-1"), Earn(1)).code == "unknown_member"


def test_a_changed_address_and_the_former_one_find_the_same_member(world: World) -> None:
    receipt = world.does(SARAH, Earn(5))
    world.identify(SARAH, email="mason@klaviyo-demo.com")
    for address in (SARAH, Address("email", "Mason@klaviyo-demo.com")):
        assert world.does(address, Earn(1)).member_id == receipt.member_id


def test_a_merged_member_is_followed_to_where_it_went(world: World) -> None:
    """W13: over several merges, by any address."""
    carol = Address("email", "carol@klaviyo-demo.com")
    for number, address in enumerate((SARAH, BILL, carol)):
        world.does(address, Earn(10))
        world.identify(address, external_id=f"c-{number}")
    world.merge(SARAH, BILL)
    world.merge(BILL, carol)
    for address in (SARAH, BILL, carol, Address("external_id", "c-0")):
        found = world.ledger.find(world.program, address)
        assert found is not None
        assert found.amounts == Amounts(available=30, earned=30)


def test_members_that_point_at_each_other_are_reported_not_followed_for_ever(world: World) -> None:
    slug = world.program.slug
    one, other = (world.program.member_id(Email(address.value)) for address in (SARAH, BILL))
    world.store.stored[(slug, one)] = Redirect(other)
    world.store.stored[(slug, other)] = Redirect(one)
    with pytest.raises(Conflict, match="point at each other; run verify"):
        world.ledger.find(world.program, SARAH)


def test_whoever_comes_back_after_erasure_is_somebody_new_each_time(world: World) -> None:
    """R25."""
    ids = []
    for _ in range(3):
        ids.append(world.does(SARAH, Earn(5)).member_id)
        world.erase(SARAH)
    assert len(set(ids)) == 3
    assert ids[2] == world.program.member_id(Email(SARAH.value), 2)


def test_a_merged_members_address_is_free_after_the_whole_person_was_erased(world: World) -> None:
    world.does(SARAH, Earn(5))
    world.does(BILL, Earn(5))
    world.merge(SARAH, BILL)
    world.erase(BILL)
    assert world.does(SARAH, Earn(7)).after == Amounts(available=7, earned=7)


def expiring(world: World) -> None:
    world.program = a_program(terms=Terms(expiry=AfterEarning(Period(days=30))))


def test_what_is_due_is_posted_before_a_command(world: World) -> None:
    """However late the sweep is, nobody spends points that are over (R175)."""
    expiring(world)
    world.does(SARAH, Earn(50))
    world.does(SARAH, Pend("order", 5, world.clock.now() + SOON))
    world.clock.advance(days=31)
    outcome = world.post(SARAH, Spend(50))
    assert isinstance(outcome, Refusal)
    assert outcome.facts == {"available": 5, "points": 50}
    kinds = [entry.kind for entry in world.store.journal(world.program.slug, world.does(SARAH, Spend(5)).member_id)]
    assert kinds == [EntryKind.EARN, EntryKind.PEND, EntryKind.ACTIVATE, EntryKind.EXPIRE, EntryKind.SPEND]


def test_settling_posts_what_is_due_and_says_how_much(world: World) -> None:
    expiring(world)
    world.does(SARAH, Earn(50))
    world.does(SARAH, PlaceHold("cart", 5, world.clock.now() + SOON))
    assert world.ledger.settle(world.program, SARAH) == 0
    world.clock.advance(days=31)
    assert world.ledger.settle(world.program, SARAH) == 2
    assert world.ledger.settle(world.program, SARAH) == 0


def test_settling_nobody_is_an_error(world: World) -> None:
    with pytest.raises(NotFound) as error:
        world.ledger.settle(world.program, SARAH)
    assert error.value.code == "unknown_member"


def test_a_due_act_is_posted_once_whoever_comes_first(world: World) -> None:
    expiring(world)
    world.does(SARAH, Earn(50))
    world.clock.advance(days=31)
    others: list[int] = []
    world.store.before_commits = [lambda: others.append(world.ledger.settle(world.program, SARAH))]
    assert world.ledger.settle(world.program, SARAH) == 0
    assert others == [1]
    assert world.amounts(SARAH) == Amounts(earned=50, expired=50)


def test_settling_goes_on_after_a_conflict(world: World) -> None:
    expiring(world)
    world.does(SARAH, Earn(50))
    world.clock.advance(days=31)
    world.store.before_commits = [fails_with(Conflict("busy"))]
    assert world.ledger.settle(world.program, SARAH) == 1


def test_a_clock_that_steps_back_over_midnight_delays_expiry_and_does_no_harm(world: World) -> None:
    expiring(world)
    world.does(SARAH, Earn(50))
    midnight = world.clock.now().replace(hour=0) + timedelta(days=31)
    world.clock.shows = [midnight, midnight - timedelta(seconds=1), *[midnight] * 3]
    assert world.ledger.settle(world.program, SARAH) == 1
    assert world.amounts(SARAH) == Amounts(earned=50, expired=50)


def test_an_expiry_is_told_to_klaviyo_like_any_event(world: World) -> None:
    expiring(world)
    receipt = world.does(SARAH, Earn(50))
    world.clock.advance(days=31)
    world.ledger.settle(world.program, SARAH)
    expired = world.store.entry(world.program.slug, receipt.member_id, 2)
    assert expired is not None
    assert expired.delivery.state is DeliveryState.OWED


def test_a_command_can_be_posted_on_exactly_one_member(world: World) -> None:
    receipt = world.does(SARAH, Earn(50))
    here = world.ledger.post_here(world.program, receipt.member_id, a_command(Notify("told"), key="n"))
    assert isinstance(here, Receipt)
    again = world.ledger.post_here(world.program, receipt.member_id, a_command(Notify("told"), key="n"))
    assert again == replace(here, replayed=True)
    refused = world.ledger.post_here(world.program, receipt.member_id, a_command(Spend(51)))
    assert isinstance(refused, Refusal)


def test_a_repeat_on_exactly_one_member_is_answered_where_it_would_be_refused(world: World) -> None:
    receipt = world.does(SARAH, Earn(50))
    first = world.ledger.post_here(world.program, receipt.member_id, a_command(Spend(50), key="s"))
    again = world.ledger.post_here(world.program, receipt.member_id, a_command(Spend(50), key="s"))
    assert isinstance(first, Receipt)
    assert again == replace(first, replayed=True)


def test_a_redirect_is_nobody_to_post_on(world: World) -> None:
    world.does(SARAH, Earn(50))
    world.identify(SARAH, email="mason@klaviyo-demo.com")
    former = world.program.member_id(Email("mason@klaviyo-demo.com"))
    for member_id in (former, MemberId("nobody")):
        with pytest.raises(NotFound) as error:
            world.ledger.post_here(world.program, member_id, a_command(Identify()))
        assert error.value.code == "unknown_member"


@pytest.mark.parametrize(
    ("program", "event_type", "state", "why"),
    [
        (a_program(), "points_earned_review", DeliveryState.OWED, ""),
        (a_program(), "", DeliveryState.NONE, ""),
        (a_program(connection=None), "points_earned_review", DeliveryState.SKIPPED, "not_connected"),
        (
            a_program(connection=a_connection(), events_off=frozenset({"points_earned_review"})),
            "points_earned_review",
            DeliveryState.SKIPPED,
            "not_selected",
        ),
    ],
)
def test_whether_klaviyo_is_owed_an_event_is_decided_with_the_posting(
    world: World, program: Any, event_type: str, state: DeliveryState, why: str
) -> None:
    """R93, R94."""
    world.program = program
    entry = world.entry(world.does(SARAH, Earn(50), event_type=event_type))
    assert (entry.delivery.state, entry.delivery.why) == (state, why)
