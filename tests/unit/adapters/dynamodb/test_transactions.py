"""A plan as one transaction, and what its failure means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb.key_record_item import record_item
from loyalty.adapters.dynamodb.transactions import Role, Write, cancelled, writes_of
from loyalty.adapters.dynamodb.typed_json import wire
from loyalty.domain.errors import Conflict, Duplicate, LoyaltyError, Transient
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.commands import Earn, MergeIn, MergeOut, Reverse
from loyalty.ports import Claim, Plan
from tests.contract.storage import MemoryStorage, Pen

FAILED = {"Code": "ConditionalCheckFailed"}
FINE = {"Code": "None"}


@pytest.fixture
def pen() -> Pen:
    return Pen(MemoryStorage())


def roles_of(plan: Plan) -> list[Role]:
    return [write.role for write in writes_of(plan, "loyalty")]


def a_write(role: Role) -> Write:
    return Write(role, {})


def cancellation(*reasons: dict[str, Any]) -> ClientError:
    """The error as boto3 raises it: the reasons stand beside ``Error``, not inside it."""
    response = {"Error": {"Code": "TransactionCanceledException", "Message": "cancelled"}}
    return ClientError(response | {"CancellationReasons": list(reasons)}, "TransactWriteItems")  # type: ignore[arg-type]


def meaning(*roles_and_reasons: tuple[Role, dict[str, Any]]) -> LoyaltyError | None:
    writes = [a_write(role) for role, _ in roles_and_reasons]
    return cancelled(cancellation(*(reason for _, reason in roles_and_reasons)), writes)


# What is written


def test_a_posting_is_three_items(pen: Pen) -> None:
    """Member, entry, record: what docs/data-model.md says most commands write."""
    assert roles_of(pen.draft("sarah", Earn(10))) == [Role.MEMBER, Role.ENTRY, Role.RECORD]


def test_a_reversal_is_three_items(pen: Pen) -> None:
    """Its idempotency lives on the entry it reverses."""
    pen.write("sarah", Earn(10))
    plan = pen.draft("sarah", Reverse(pen.entry("sarah", 1)))
    assert roles_of(plan) == [Role.MEMBER, Role.ENTRY, Role.REVERSAL]


def test_a_merge_is_five_items(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    pen.write("bill", Earn(10))
    out = pen.draft("sarah", MergeOut(pen.id_of("bill")))
    into = pen.draft("bill", MergeIn(pen.member("sarah")))
    plan = replace(into, postings=out.postings + into.postings, deliveries=out.deliveries + into.deliveries)
    assert roles_of(plan) == [Role.MEMBER, Role.ENTRY, Role.MEMBER, Role.ENTRY, Role.RECORD]


def test_each_pointer_is_one_item_more(pen: Pen) -> None:
    sarah = pen.id_of("sarah")
    claims = (Claim("phone", "+1", sarah), Claim("external_id", "old", ""))
    plan = pen.draft("sarah", Earn(10), claims=claims, redirects=((MemberId("former"), sarah),))
    assert roles_of(plan)[3:] == [Role.CLAIM, Role.CLAIM, Role.REDIRECT]


def test_every_write_but_giving_up_a_claim_carries_a_condition(pen: Pen) -> None:
    """Nothing is ever overwritten blindly. A claim is given up by its holder, whose version is checked beside it."""
    sarah = pen.id_of("sarah")
    pen.write("sarah", Earn(10))
    claims = (Claim("phone", "+1", sarah), Claim("external_id", "old", ""))
    plans = [
        pen.draft("sarah", Earn(10), claims=claims, redirects=((MemberId("former"), sarah),)),
        pen.draft("sarah", Reverse(pen.entry("sarah", 1))),
        pen.draft("bill", Earn(10)),
    ]
    writes = [write for plan in plans for write in writes_of(plan, "loyalty")]
    blind = [write for write in writes for request in write.request.values() if "ConditionExpression" not in request]
    assert [next(iter(write.request)) for write in blind] == ["Delete"]


def test_only_the_record_is_asked_what_it_was(pen: Pen) -> None:
    """A duplicate must answer with the first result, and needs no second read for it."""
    for write in writes_of(pen.draft("sarah", Earn(10)), "loyalty"):
        (request,) = write.request.values()
        asked = request.get("ReturnValuesOnConditionCheckFailure")
        assert asked == ("ALL_OLD" if write.role is Role.RECORD else None)


# What a failure means: reasons come in the order of the writes


def test_a_taken_key_is_a_duplicate_with_the_first_record(pen: Pen) -> None:
    record = pen.draft("sarah", Earn(10)).record
    assert record is not None
    taken = FAILED | {"Item": wire(record_item(pen.program.slug, record))}
    found = meaning((Role.MEMBER, FINE), (Role.ENTRY, FINE), (Role.RECORD, taken))
    assert isinstance(found, Duplicate)
    assert found.first == record


def test_a_duplicate_wins_over_a_conflict(pen: Pen) -> None:
    """The twin of a command fails on its member too, and must not be told to try again for ever."""
    record = pen.draft("sarah", Earn(10)).record
    assert record is not None
    taken = FAILED | {"Item": wire(record_item(pen.program.slug, record))}
    assert isinstance(meaning((Role.MEMBER, FAILED), (Role.ENTRY, FAILED), (Role.RECORD, taken)), Duplicate)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.RECORD])
def test_any_other_failed_condition_is_a_conflict(role: Role) -> None:
    found = meaning((Role.MEMBER, FINE), (role, FAILED))
    assert isinstance(found, Conflict)
    assert found.facts["roles"] == [role.value]


def test_the_place_of_a_reason_decides_not_its_content(pen: Pen) -> None:
    """An old item at another place than the record's is somebody's member, not a first result."""
    record = pen.draft("sarah", Earn(10)).record
    assert record is not None
    reason = FAILED | {"Item": wire(record_item(pen.program.slug, record))}
    assert isinstance(meaning((Role.MEMBER, reason), (Role.RECORD, FINE)), Conflict)


def test_another_transaction_on_the_same_items_is_a_conflict() -> None:
    assert isinstance(meaning((Role.MEMBER, {"Code": "TransactionConflict"}), (Role.ENTRY, FINE)), Conflict)


def test_a_failed_condition_is_an_answer_even_beside_a_transaction_conflict() -> None:
    found = meaning((Role.MEMBER, {"Code": "TransactionConflict"}), (Role.CLAIM, FAILED))
    assert isinstance(found, Conflict)
    assert found.facts["roles"] == ["claim"]


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_throttling_passes(code: str) -> None:
    assert isinstance(meaning((Role.MEMBER, FINE), (Role.ENTRY, {"Code": code})), Transient)
    mixed = meaning((Role.MEMBER, {"Code": "TransactionConflict"}), (Role.ENTRY, {"Code": code}))
    assert isinstance(mixed, Transient)


def test_an_unknown_reason_is_not_guessed_at() -> None:
    """An item that is too large, for example, is the same at every try."""
    assert meaning((Role.MEMBER, {"Code": "ValidationError"}), (Role.ENTRY, FINE)) is None
    assert cancelled(cancellation(), [a_write(Role.MEMBER)]) is None
