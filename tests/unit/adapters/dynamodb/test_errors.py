"""What DynamoDB's own errors mean to the stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber

from loyalty.adapters.dynamodb.codec import member_item
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.reading import ROUNDS
from loyalty.adapters.dynamodb.typed_json import wire
from loyalty.domain.errors import Conflict, Duplicate, Misconfigured, Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import CommandKey, Earn
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.domain.ledger.member import Member
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.review_ports import ReviewChange
from tests.builders import a_connection, a_program
from tests.contract.storage import MemoryStorage, Pen
from tests.fakes.clocks import START

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "loyalty"
SLUG, MEMBER = ProgramSlug("candles"), MemberId("m")
SENT = Delivery(DeliveryState.SENT, START)
FIRST = ReviewChange(SLUG, ReviewDecision("r", "refused", "not_verified", "No.", 1, "e", "m", START))
LATER = replace(FIRST, decision=replace(FIRST.decision, version=1))


@pytest.fixture
def client() -> DynamoDBClient:
    return boto3.client("dynamodb", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none")


@pytest.fixture
def stub(client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber


@pytest.fixture
def pen() -> Pen:
    return Pen(MemoryStorage())


Call = Callable[["DynamoDBClient", Pen], object]
CALLS: dict[str, tuple[str, Call]] = {
    "find": ("get_item", lambda c, _: DynamoLedger(c, TABLE).find(SLUG, MEMBER)),
    "claimed_by": ("get_item", lambda c, _: DynamoLedger(c, TABLE).claimed_by(a_program(), "phone", "+1")),
    "entry": ("get_item", lambda c, _: DynamoLedger(c, TABLE).entry(SLUG, MEMBER, 1)),
    "journal": ("query", lambda c, _: list(DynamoLedger(c, TABLE).journal(SLUG, MEMBER))),
    "latest": ("query", lambda c, _: DynamoLedger(c, TABLE).latest(SLUG, MEMBER, before=None, limit=1)),
    "record": ("get_item", lambda c, _: DynamoLedger(c, TABLE).record(SLUG, CommandKey("test", "1"))),
    "commit": ("transact_write_items", lambda c, pen: DynamoLedger(c, TABLE).commit(pen.draft("sarah", Earn(10)))),
    "forget words": ("update_item", lambda c, pen: DynamoLedger(c, TABLE).forget_words(an_entry(pen))),
    "members": ("batch_get_item", lambda c, _: DynamoOutbox(c, TABLE).members(SLUG, [MEMBER])),
    "entries": ("batch_get_item", lambda c, _: DynamoOutbox(c, TABLE).entries(SLUG, [(MEMBER, 1)])),
    "owed profiles": ("query", lambda c, _: DynamoOutbox(c, TABLE).owed_profiles(SLUG, limit=1)),
    "mark event": ("update_item", lambda c, pen: DynamoOutbox(c, TABLE).mark_event(an_entry(pen), SENT)),
    "clear profile": ("update_item", lambda c, _: DynamoOutbox(c, TABLE).clear_profile(SLUG, MEMBER, 1)),
    "load program": ("query", lambda c, _: DynamoPrograms(c, TABLE).load(SLUG)),
    "create program": ("put_item", lambda c, _: DynamoPrograms(c, TABLE).create(a_program())),
    "save connection": ("put_item", lambda c, _: DynamoPrograms(c, TABLE).save_connection(SLUG, a_connection())),
    "first decision": ("transact_write_items", lambda c, _: DynamoDecisions(c, TABLE).commit(FIRST)),
    "later decision": ("put_item", lambda c, _: DynamoDecisions(c, TABLE).commit(LATER)),
    "load decision": ("get_item", lambda c, _: DynamoDecisions(c, TABLE).load(SLUG, "r")),
}


def an_entry(pen: Pen) -> Any:
    return pen.draft("sarah", Earn(10)).postings[0].entry


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> tuple[str, Call]:
    """Each thing a store does, with the operation it uses."""
    return CALLS[request.param]


@pytest.mark.parametrize(
    ("code", "status", "means"),
    [
        ("ThrottlingException", 400, Transient),
        ("ProvisionedThroughputExceededException", 400, Transient),
        ("RequestLimitExceeded", 400, Transient),
        ("InternalServerError", 500, Transient),
        ("SomethingNew", 503, Transient),
        ("AccessDeniedException", 400, Misconfigured),
        ("ResourceNotFoundException", 400, Misconfigured),
        ("UnrecognizedClientException", 400, Misconfigured),
        ("SomethingNew", 400, ClientError),
    ],
)
def test_every_call_maps_errors_of_the_service(
    stub: Stubber,
    client: DynamoDBClient,
    pen: Pen,
    call: tuple[str, Call],
    code: str,
    status: int,
    means: type[Exception],
) -> None:
    """Retryable, for an operator, or unknown and so unchanged; the service's error stays attached."""
    operation, act = call
    stub.add_client_error(operation, service_error_code=code, http_status_code=status)
    with pytest.raises(means) as raised:
        act(client, pen)
    if means is not ClientError:
        assert isinstance(raised.value.__cause__, ClientError)


def test_a_write_beside_a_transaction_on_the_same_item_may_be_tried_again(
    stub: Stubber, client: DynamoDBClient, pen: Pen
) -> None:
    """DynamoDB refuses a single write while a transaction has the item; it is no fault of either."""
    stub.add_client_error("update_item", service_error_code="TransactionConflictException", http_status_code=400)
    with pytest.raises(Transient):
        DynamoOutbox(client, TABLE).clear_profile(SLUG, MEMBER, 1)


def test_a_service_out_of_reach_is_transient(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(*_: object, **__: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(client, "_make_api_call", time_out)
    with pytest.raises(Transient):
        DynamoLedger(client, TABLE).find(SLUG, MEMBER)


def test_a_commit_reads_the_reasons_where_boto3_puts_them(stub: Stubber, client: DynamoDBClient, pen: Pen) -> None:
    """At the top of the response. A reader that looks inside ``Error`` would call every cancellation unknown."""
    reasons = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}, {"Code": "None"}]
    stub.add_client_error(
        "transact_write_items",
        service_error_code="TransactionCanceledException",
        modeled_fields={"CancellationReasons": reasons},
    )
    with pytest.raises(Conflict) as conflict:
        DynamoLedger(client, TABLE).commit(pen.draft("sarah", Earn(10)))
    assert isinstance(conflict.value.__cause__, ClientError)


def test_a_commit_that_is_a_duplicate_is_no_conflict(stub: Stubber, client: DynamoDBClient, pen: Pen) -> None:
    plan = pen.draft("sarah", Earn(10))
    assert plan.record is not None
    from_the_table = {
        "key": {"S": plan.record.key},
        "request_digest": {"S": plan.record.request_digest},
        "member_id": {"S": plan.record.receipt.member_id},
        "seq": {"N": "1"},
        "kind": {"S": "earn"},
        "points": {"N": "10"},
        "after": {"M": {"available": {"N": "10"}, "earned": {"N": "10"}}},
        "recorded_at": {"N": "1772452800000"},
    }
    failed = {"Code": "ConditionalCheckFailed"}
    stub.add_client_error(
        "transact_write_items",
        service_error_code="TransactionCanceledException",
        modeled_fields={"CancellationReasons": [failed, failed, failed | {"Item": from_the_table}]},
    )
    with pytest.raises(Duplicate) as duplicate:
        DynamoLedger(client, TABLE).commit(plan)
    assert duplicate.value.first == plan.record


def test_a_cancellation_nobody_knows_is_passed_on(stub: Stubber, client: DynamoDBClient, pen: Pen) -> None:
    stub.add_client_error(
        "transact_write_items",
        service_error_code="TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": "ValidationError"}, {"Code": "None"}, {"Code": "None"}]},
    )
    with pytest.raises(ClientError):
        DynamoLedger(client, TABLE).commit(pen.draft("sarah", Earn(10)))


# Batches of which a part was left unread


def batch_answer(read: list[str], left: list[str]) -> dict[str, Any]:
    items = [wire(member_item(Member(SLUG, MemberId(name), version=1))) for name in read]
    unprocessed = {TABLE: {"Keys": [wire({"pk": name, "sk": "MEMBER"}) for name in left]}} if left else {}
    return {"Responses": {TABLE: items}, "UnprocessedKeys": unprocessed}


def test_keys_left_unread_are_asked_for_again(stub: Stubber, client: DynamoDBClient) -> None:
    stub.add_response("batch_get_item", batch_answer(["a"], ["b", "c"]))
    stub.add_response("batch_get_item", batch_answer(["b"], ["c"]))
    stub.add_response("batch_get_item", batch_answer(["c"], []))
    found = DynamoOutbox(client, TABLE).members(SLUG, [MemberId(name) for name in "abc"])
    assert sorted(found) == ["a", "b", "c"]
    stub.assert_no_pending_responses()


def test_keys_that_stay_unread_are_an_error_not_a_gap(stub: Stubber, client: DynamoDBClient) -> None:
    """A member that is silently missing would be a profile that is silently not sent."""
    for _ in range(ROUNDS):
        stub.add_response("batch_get_item", batch_answer([], ["a"]))
    with pytest.raises(Transient):
        DynamoOutbox(client, TABLE).members(SLUG, [MemberId("a")])
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("change", "operation", "code", "reasons", "means"),
    [
        (LATER, "put_item", "ConditionalCheckFailedException", (), Conflict),
        (LATER, "put_item", "TransactionConflictException", (), Conflict),
        (FIRST, "transact_write_items", "TransactionCanceledException", ("None", "ConditionalCheckFailed"), Conflict),
        (FIRST, "transact_write_items", "TransactionCanceledException", ("TransactionConflict", "None"), Conflict),
        (FIRST, "transact_write_items", "TransactionCanceledException", ("ThrottlingError", "None"), Transient),
    ],
)
def test_a_decision_that_somebody_else_changed_first_is_decided_on_again(
    stub: Stubber,
    client: DynamoDBClient,
    change: ReviewChange,
    operation: str,
    code: str,
    reasons: tuple[str, ...],
    means: type[Exception],
) -> None:
    """At once, not only when the queue brings the message again; throttling is left to the queue."""
    modeled = {"CancellationReasons": [{"Code": reason} for reason in reasons]} if reasons else {}
    stub.add_client_error(operation, code, http_status_code=400, modeled_fields=modeled)
    with pytest.raises(means):
        DynamoDecisions(client, TABLE).commit(change)
