"""From a signed delivery to points: handlers, use cases and adapters together, AWS played in process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from moto import mock_aws

from functions.review_award import app as review_award
from functions.review_webhook import app as review_webhook
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.review_feed_store import DynamoReviewFeeds
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.sqs import SqsQueue
from loyalty.domain.backoff import FIRST
from loyalty.domain.connection import Webhook
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import Address, ProgramSlug
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.program import Program
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.reviews import ReviewSource
from loyalty.ports import Plan, QueueMessage
from loyalty.runtime.batch import Return
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.posting import Ledger
from loyalty.services.recent_programs import RecentPrograms
from tests.builders import BILL, SARAH, a_connection, a_program
from tests.deliveries import (
    RATING,
    REVIEW,
    SECRET,
    TEXT,
    WEBHOOK_ID,
    LambdaContext,
    a_body,
    a_proxy_event,
    a_queue_event,
    a_review_event,
    signed,
)
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_oauth import MemoryNotes
from tests.fakes.memory_queues import MemoryVisibility
from tests.fakes.scripted_sqs import ScriptedSqs
from tests.logs import written
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REGION, TABLE = "eu-central-1", "ledger"
ROOT = Path(__file__).resolve().parents[2]
DOCS = os.environ.get("TALLYHOOK_KLAVIYO_DOCS")
SAMPLE_SECRET = "sample-secret-of-the-demo-webhook"
JUDGEME_SECRET = "sample-secret-of-the-judgeme-shop"


class Stack:
    """Table, queue and key as the template has them, one program, and both functions."""

    def __init__(self, queue_url: str, key_id: str, sqs: SQSClient) -> None:
        self.sqs = sqs
        self.queue_url = queue_url
        dynamodb = boto3.client("dynamodb", region_name=REGION)
        create_table(dynamodb, TABLE)
        self.vault = KmsVault(boto3.client("kms", region_name=REGION), key_id)
        self.programs = DynamoPrograms(dynamodb, TABLE)
        self.store = DynamoLedger(dynamodb, TABLE)
        self.decisions = DynamoDecisions(dynamodb, TABLE)
        self.feeds = DynamoReviewFeeds(dynamodb, TABLE)
        self._dynamodb = dynamodb

    def scan(self) -> list[dict[str, Any]]:
        return list(self._dynamodb.scan(TableName=TABLE)["Items"])

    def empty(self) -> None:
        for item in self.scan():
            self._dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})
        self.messages()

    def open(self, program: Program, secret: str) -> Program:
        webhook = Webhook(WEBHOOK_ID, (REVIEW, RATING), (self.vault.encrypt(program.slug, secret),))
        program = replace(program, connection=a_connection(webhooks=(webhook,)))
        self.programs.create(program)
        assert program.connection
        self.programs.save_connection(program.slug, program.connection)
        return program

    def deliver(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = review_webhook.lambda_handler(event, LambdaContext())  # type: ignore[arg-type]
        return answer["statusCode"], json.loads(answer["body"])

    def messages(self) -> list[QueueMessage]:
        """Take everything off the queue."""
        taken: list[QueueMessage] = []
        while found := self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in found:
                attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
                taken.append(QueueMessage(message["Body"], group="candles", attributes=attributes))
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def work(self, messages: list[QueueMessage]) -> list[str]:
        answer = review_award.lambda_handler(a_queue_event(*messages), LambdaContext())  # type: ignore[arg-type]
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def journal(self, program: Program, address: Address = SARAH) -> list[Entry]:
        member = Ledger(self.store, FixedClock(), SeededRandomness()).find(program, address)
        return list(self.store.journal(program.slug, member.member_id)) if member else []


@pytest.fixture(scope="module")
def account() -> Iterator[Stack]:
    """One account for all tests: making clients takes longer than any of them."""
    with mock_aws(), pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        sqs = boto3.client("sqs", region_name=REGION)
        queue_url = sqs.create_queue(QueueName="reviews")["QueueUrl"]
        key_id = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
        for name, value in {
            "AWS_REGION": REGION,
            "TABLE_NAME": TABLE,
            "REVIEWS_QUEUE_URL": queue_url,
            "CREDENTIALS_KEY_ID": key_id,
        }.items():
            monkeypatch.setenv(name, value)
        review_webhook.intake.replace(None)
        review_award.award.replace(None)
        review_award.give_back.replace(None)
        yield Stack(queue_url, key_id, sqs)
        review_webhook.intake.replace(None)
        review_award.award.replace(None)
        review_award.give_back.replace(None)


@pytest.fixture
def stack(account: Stack) -> Stack:
    account.empty()
    return account


@pytest.fixture
def rebuilt() -> Iterator[None]:
    """For a test that changes the environment or takes something away."""
    yield
    review_webhook.intake.replace(None)
    review_award.award.replace(None)
    review_award.give_back.replace(None)


@pytest.fixture
def candles(stack: Stack) -> Program:
    return stack.open(a_program(), SECRET)


def a_delivery(*events: Any, **options: Any) -> dict[str, Any]:
    body = a_body(*events)
    return a_proxy_event("candles", signed(body), body, **options)


def test_a_signed_delivery_becomes_points(stack: Stack, candles: Program) -> None:
    """R26 inbound, R102-R104: the verified review pays once, whatever comes again."""
    status, answer = stack.deliver(a_delivery(a_review_event(1)))
    assert (status, answer) == (202, {"queued": 1, "unusable": 0, "ignored": 0})
    messages = stack.messages()
    assert stack.work(messages) == []
    (entry,) = stack.journal(candles)
    assert (entry.points, entry.after.available) == (50, 50)
    before = stack.scan()
    assert stack.work(messages * 3) == []
    stack.deliver(a_delivery(a_review_event(1)))
    assert stack.work(stack.messages()) == []
    assert stack.scan() == before


@pytest.mark.skipif(not DOCS, reason="TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's examples")
def test_the_documented_delivery_pays_the_verified_review_and_refuses_the_other(stack: Stack, candles: Program) -> None:
    """R103, R106, on Klaviyo's example as it stands."""
    body = (Path(str(DOCS)) / "examples/system_webhook_delivery.json").read_bytes()
    status, _ = stack.deliver(a_proxy_event("candles", signed(body), body))
    assert status == 202
    assert stack.work(stack.messages()) == []
    assert [entry.points for entry in stack.journal(candles)] == [50]
    assert stack.journal(candles, BILL) == []
    decision = stack.decisions.load(candles.slug, "1b5e385b52fb405715f3616c337cc65d")
    assert decision
    assert (decision.outcome, decision.code) == ("refused", "not_verified")


def test_the_case_of_headers_and_the_gateways_base64_make_no_difference(stack: Stack, candles: Program) -> None:
    body = a_body(a_review_event(1))
    for change in (str.upper, str.title, str.lower):
        headers = {change(name): value for name, value in signed(body).items()}
        for as_base64 in (True, False):
            status, _ = stack.deliver(a_proxy_event("candles", headers, body, as_base64=as_base64))
            assert status == 202
    assert len(stack.messages()) == 6


def test_what_is_not_authentic_is_refused_and_nothing_stored(stack: Stack, candles: Program) -> None:
    """R120. Nor do answer and headers tell what would have been right."""
    before = stack.scan()
    body = a_body(a_review_event(1))
    elsewhere = a_body(a_review_event(1), webhook_id="01OTHER")
    cases = [
        (a_proxy_event("candles", signed(body, secret="wrong-secret-0123456"), body), 401, "invalid_signature"),
        (a_proxy_event("candles", {}, body), 401, "invalid_signature"),
        (a_proxy_event("candles", signed(elsewhere, webhook_id="01OTHER"), elsewhere), 401, "invalid_signature"),
        (a_proxy_event("candles", signed(elsewhere), elsewhere), 401, "webhook_mismatch"),
        (a_proxy_event("soaps", signed(body), body), 404, "unknown_program"),
        (a_proxy_event("No slug", signed(body), body), 404, "unknown_program"),
    ]
    for event, status, code in cases:
        given, problem = stack.deliver(event)
        assert (given, problem["code"]) == (status, code)
        assert SECRET not in json.dumps(problem)
    assert stack.messages() == []
    assert stack.scan() == before


def test_an_authentic_delivery_that_is_malformed_gets_a_clear_400(stack: Stack, candles: Program) -> None:
    for body, code in ((b"no json", "malformed_json"), (b'{"data": 1}', "malformed_delivery")):
        status, problem = stack.deliver(a_proxy_event("candles", signed(body), body))
        assert (status, problem["code"]) == (400, code)
        assert problem["detail"]
    assert stack.messages() == []


def test_one_bad_event_is_recorded_and_the_others_pay(stack: Stack, candles: Program) -> None:
    bad = a_review_event(2, review_email="nobody")
    status, answer = stack.deliver(a_delivery(a_review_event(1), bad, a_review_event(3)))
    assert (status, answer["queued"], answer["unusable"]) == (202, 2, 1)
    assert stack.work(stack.messages()) == []
    assert [entry.points for entry in stack.journal(candles)] == [50, 50]
    decision = stack.decisions.load(candles.slug, f"{2:032x}")
    assert decision
    assert (decision.outcome, decision.code) == ("unusable", "invalid_email")


@pytest.mark.usefixtures("rebuilt")
def test_the_largest_delivery_is_queued_whole_in_as_few_calls_as_sqs_allows(stack: Stack, candles: Program) -> None:
    """1,000 events in 5 MB; Klaviyo hangs up after five seconds (docs/klaviyo.md 5), so calls are what counts."""
    sqs = ScriptedSqs()
    known = RecentPrograms(stack.programs, stack.vault, FixedClock())
    queue = SqsQueue(cast(Any, sqs), stack.queue_url, FixedClock(), SeededRandomness())
    review_webhook.intake.replace(IntakeReviews(known, queue, MemoryNotes(), FixedClock()))
    body = a_body(*[a_review_event(number, review_content="ä" * 690) for number in range(1, 1001)])
    body += b" " * (5_000_000 - len(body))
    event = a_proxy_event(candles.slug, signed(body), body)
    assert len(json.dumps(event["body"])) < 6_291_456, "what Lambda takes in one invocation"
    status, answer = stack.deliver(event)
    assert (status, answer["queued"]) == (202, 1000)
    keys = {json.loads(text)["review_key"] for text in sqs.bodies}
    assert keys == {f"{number:032x}" for number in range(1, 1001)}
    assert len(sqs.calls) == 100


def test_a_secret_rotated_in_the_table_is_good_at_once(stack: Stack, candles: Program) -> None:
    body = a_body(a_review_event(1))
    assert stack.deliver(a_proxy_event("candles", signed(body), body))[0] == 202
    webhook = Webhook(WEBHOOK_ID, (), (stack.vault.encrypt(candles.slug, "the-new-secret-012345"),))
    stored = stack.programs.load(candles.slug)
    assert stored
    assert stored.connection
    stack.programs.save_connection(candles.slug, replace(stored.connection, webhooks=(webhook,)))
    renewed = signed(body, secret="the-new-secret-012345")
    assert stack.deliver(a_proxy_event("candles", renewed, body))[0] == 202
    assert stack.deliver(a_proxy_event("candles", signed(body), body))[0] == 401


@pytest.mark.usefixtures("rebuilt", "candles")
def test_a_queue_that_is_gone_is_503_with_a_time_to_come_back(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was stored, so nothing is acknowledged."""
    monkeypatch.setenv("REVIEWS_QUEUE_URL", stack.queue_url + "-that-is-gone")
    review_webhook.intake.replace(None)
    answer = review_webhook.lambda_handler(a_delivery(a_review_event(1)), LambdaContext())  # type: ignore[arg-type]
    assert answer["statusCode"] == 503
    assert answer["multiValueHeaders"]["Retry-After"]


@pytest.mark.usefixtures("rebuilt")
def test_an_incomplete_environment_is_503_and_says_so_in_the_log(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVIEWS_QUEUE_URL")
    review_webhook.intake.replace(None)
    with written() as out:
        status, problem = stack.deliver(a_delivery(a_review_event(1)))
    assert (status, problem["code"]) == (503, "misconfigured")
    (line,) = out.lines("request not served")
    assert line["facts"]["variables"] == ["REVIEWS_QUEUE_URL"]
    assert "REVIEWS_QUEUE_URL" not in json.dumps(problem)


def test_a_worker_killed_after_its_transaction_changes_nothing_when_the_message_comes_again(
    stack: Stack, candles: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = DynamoLedger.commit
    deaths = iter([True])

    def dying(self: DynamoLedger, plan: Plan) -> None:
        commit(self, plan)
        if next(deaths, False):
            raise RuntimeError("killed")

    monkeypatch.setattr(DynamoLedger, "commit", dying)
    stack.deliver(a_delivery(a_review_event(1), a_review_event(2)))
    messages = stack.messages()
    (failed,) = stack.work(messages)
    assert stack.work([messages[int(failed.removeprefix("message-"))]]) == []
    before = stack.scan()
    assert stack.work(messages) == []
    assert stack.scan() == before
    assert [entry.after.available for entry in stack.journal(candles)] == [50, 100]


@pytest.mark.usefixtures("rebuilt", "candles")
def test_a_table_that_is_gone_fails_the_workers_invocation(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the alarm on failed invocations rings."""
    stack.deliver(a_delivery(a_review_event(1)))
    monkeypatch.setenv("TABLE_NAME", "another")
    review_award.award.replace(None)
    with pytest.raises(Exception, match="one failed with Misconfigured"):
        stack.work(stack.messages())


@pytest.mark.usefixtures("rebuilt", "candles")
def test_a_review_that_others_kept_from_its_record_is_tried_again_within_seconds(stack: Stack) -> None:
    """Deliveries of one review that come many at once; the queue's own time would be three minutes."""

    def busy(_: str) -> None:
        raise Conflict("Others kept changing the review.")

    visibility = MemoryVisibility()
    review_award.award.replace(cast(Any, busy))
    review_award.give_back.replace(Return(visibility, SeededRandomness()))
    stack.deliver(a_delivery(a_review_event(1)))
    assert stack.work(stack.messages()) == ["message-0"]
    assert list(visibility.delays) == ["receipt-0"]
    assert visibility.delays["receipt-0"] <= FIRST


def test_logs_tell_the_story_in_ids_and_hold_nothing_private(stack: Stack, candles: Program) -> None:
    """No address, no word of a review, no secret, no token, at any log level of any library."""
    events = [
        a_review_event(1),
        a_review_event(2, review_verified=False),
        a_review_event(3, review_email="sarah@nowhere"),
    ]
    body = a_body(*events)
    with written() as out:
        stack.deliver(a_delivery(*events))
        stack.deliver(a_proxy_event("candles", signed(body, secret="wrong-secret-0123456"), body))
        messages = stack.messages()
        stack.work([*messages, *messages, QueueMessage("sarah.mason@klaviyo-demo.com")])
    for private in ("sarah", "klaviyo-demo.com", TEXT, "Lovely", "Sarah M", SECRET, signed(body)["klaviyo-signature"]):
        assert private not in out.text
    (taken,) = out.lines("delivery taken in")
    assert (taken["program"], taken["ReviewsReceived"], taken["ReviewsUnusable"]) == ("candles", 3, 1)
    awarded, *_ = out.lines("review awarded")
    assert awarded["correlation_id"] == taken["correlation_id"] == "gateway-request-1"
    assert awarded["program"] == "candles"
    assert awarded["review_key"] == f"{1:032x}"
    assert awarded["entry_id"] == stack.journal(candles)[0].id
    assert out.metrics == {
        "ReviewsReceived": 3,
        "ReviewsUnusable": 1,
        "ReviewsAwarded": 1,
        "PointsAwarded": 50,
        "ReviewsRefused": 1,
        "DuplicatesIgnored": 2,
    }


EXPECTED = {
    "delivery": (202, {"queued": 2, "unusable": 0, "ignored": 0}),
    "delivery_base64": (202, {"queued": 2, "unusable": 0, "ignored": 0}),
    "rating_and_review": (202, {"queued": 2, "unusable": 0, "ignored": 0}),
    "one_bad_event": (202, {"queued": 2, "unusable": 1, "ignored": 0}),
    "other_topic": (202, {"queued": 0, "unusable": 0, "ignored": 1}),
    "bad_signature": (401, "invalid_signature"),
    "malformed": (400, "malformed_json"),
    "unknown_program": (404, "unknown_program"),
    "judgeme_review": (202, {"queued": 1, "unusable": 0, "ignored": 0}),
    "judgeme_bad_signature": (401, "invalid_signature"),
}


def sample(function: str, name: str) -> Any:
    return json.loads((ROOT / "events" / function / f"{name}.json").read_text())


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "events/review_webhook").glob("*.json")))
def test_each_sample_delivery_is_answered_as_its_name_says(stack: Stack, name: str) -> None:
    """The samples are signed with the secret that events/README.md tells."""
    for secret in (SAMPLE_SECRET, JUDGEME_SECRET):
        assert secret in (ROOT / "events/README.md").read_text()
    demo = stack.open(a_program(slug=ProgramSlug("demo")), SAMPLE_SECRET)
    sealed = stack.vault.encrypt(demo.slug, JUDGEME_SECRET)
    stack.feeds.save_feed(demo.slug, ReviewFeed(ReviewSource.JUDGEME, demo.created_at, (sealed,)))
    status, answer = stack.deliver(sample("review_webhook", name))
    assert (status, answer if status == 202 else answer["code"]) == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "failed", "points"),
    [
        ("review", 0, [50]),
        ("unverified", 0, []),
        ("unusable", 0, []),
        ("batch", 1, [50, 50]),
        ("moderated", 0, [50, -50]),
    ],
)
def test_each_sample_message_is_decided_as_its_name_says(
    stack: Stack, name: str, failed: int, points: list[int]
) -> None:
    demo = stack.open(a_program(slug=ProgramSlug("demo")), SAMPLE_SECRET)
    answer = review_award.lambda_handler(sample("review_award", name), LambdaContext())  # type: ignore[arg-type]
    assert len(answer["batchItemFailures"]) == failed
    assert [entry.points for entry in stack.journal(demo)] == points


def test_the_sample_messages_are_what_the_webhook_writes(stack: Stack) -> None:
    """Field by field; only the digest of the text depends on the program."""
    stack.open(a_program(slug=ProgramSlug("demo")), SAMPLE_SECRET)
    stack.deliver(sample("review_webhook", "delivery"))
    bodies = [json.loads(message.body) for message in stack.messages()]
    (written_one,) = [body for body in bodies if body["verified"]]
    (shown,) = [json.loads(record["body"]) for record in sample("review_award", "review")["Records"]]
    assert {**written_one, "text_digest": ""} == {**shown, "text_digest": ""}
