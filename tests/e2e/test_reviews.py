"""The main job on the deployed stack: signed deliveries become points, once, and Klaviyo hears of it, once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from local.inspection import Inspection
from local.records import Records
from local.stack import Stack
from local.waiting import eventually
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.kms import KmsVault
from loyalty.domain.connection import Webhook
from loyalty.domain.ledger.entry import DeliveryState, Entry

SAMPLE = "system_webhook_delivery.json"
SAMPLE_WEBHOOK = "01HF7AYTK76RHR4F17G6DGTRGF"
SAMPLE_SECRET = "secret-of-the-sample-webhook-0123456789"
TIMESTAMP = "Thu, 20 Aug 2026 14:04:02 GMT"
AT_ONCE = 2
"""Deliveries under way at once: the emulator starts an interpreter for each, and two cores start few a second."""

REPEATS = 8

FUNCTIONS = ("review_webhook", "review_award", "outbox_relay", "klaviyo_events", "klaviyo_profiles")


@pytest.fixture(scope="session")
def sample() -> bytes:
    """Klaviyo's sample delivery, byte for byte."""
    documents = os.environ.get("TALLYHOOK_KLAVIYO_DOCS")
    if not documents:
        pytest.skip("TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's examples")
    return (Path(documents) / "examples" / SAMPLE).read_bytes()


@pytest.fixture(scope="module", autouse=True)
def limits_kept(stack: Stack) -> Iterator[None]:
    """Whatever the tests of this module have sent, it stayed within Klaviyo's published windows."""
    yield
    quotas = Inspection(stack.klaviyo.url).get("/limits")["quotas"]
    assert quotas
    peaks = [(quota["operation"], each) for quota in quotas for each in quota["windows"]]
    assert [peak for peak in peaks if peak[1]["peak"] > peak[1]["allowed"]] == []


@pytest.fixture
def faults(klaviyo: Inspection) -> Iterator[Inspection]:
    """The fake Klaviyo, to be told how to fail; it works again afterwards."""
    yield klaviyo
    klaviyo.delete("/faults")


def submit(klaviyo: Inspection, email: str, **review: Any) -> dict[str, Any]:
    review = {"author": "A", "rating": 5, "verified": True} | review
    submitted: dict[str, Any] = klaviyo.post("/reviews", email=email, **review)
    return submitted


def sent_entry(records: Records, email: str) -> Entry:
    """A member's one entry, once its event was sent."""

    def settled() -> Entry | None:
        entries = records.journal(email)
        return entries[0] if entries and entries[0].delivery.state is DeliveryState.SENT else None

    return eventually(f"sent entry of {email}", settled, seconds=300)


def deliver(stack: Stack, body: bytes, *, secret: str, webhook: str, slug: str = "") -> requests.Response:
    signature = hmac.new(secret.encode(), body + TIMESTAMP.encode(), hashlib.sha256).hexdigest()
    return requests.post(
        f"{stack.description.api_url}/webhooks/klaviyo/{slug or stack.description.program}",
        data=body,
        headers={
            "Content-Type": "application/json",
            "Klaviyo-Signature": signature,
            "Klaviyo-Timestamp": TIMESTAMP,
            "Klaviyo-Webhook-Id": webhook,
        },
        timeout=30,
    )


def delivered(stack: Stack, body: bytes) -> Any:
    """What the sender is told once its delivery is accepted; it repeats it until then, as Klaviyo does."""

    def accepted() -> Any:
        try:
            answer = deliver(stack, body, secret=SAMPLE_SECRET, webhook=SAMPLE_WEBHOOK)
        except requests.Timeout:
            return None
        assert answer.status_code == 202 or answer.status_code >= 500, answer.text
        return answer.json() if answer.status_code == 202 else None

    return eventually("accepted delivery", accepted, seconds=240)


def listen_to_sample_webhook(stack: Stack) -> None:
    """Let the demo program know the webhook that the sample comes from."""
    programs = DynamoPrograms(stack.client("dynamodb"), stack.description.table)
    program = stack.records.program()
    assert program.connection is not None
    vault = KmsVault(stack.client("kms"), stack.description.credentials_key_id)
    webhook = Webhook(
        SAMPLE_WEBHOOK, ("event:klaviyo.submitted_review",), (vault.encrypt(program.slug, SAMPLE_SECRET),)
    )
    others = tuple(each for each in program.connection.webhooks if each.id != SAMPLE_WEBHOOK)
    programs.save_connection(program.slug, replace(program.connection, webhooks=(*others, webhook)))


def test_klaviyos_sample_delivery_pays_the_verified_review_and_records_the_other(
    stack: Stack, klaviyo: Inspection, records: Records, sample: bytes
) -> None:
    """R102-R104, R106, R120: the delivery as it stands, and again and again, several at once."""
    listen_to_sample_webhook(stack)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: delivered(stack, sample), range(REPEATS)))
    assert answers == [{"queued": 2, "unusable": 0, "ignored": 0}] * REPEATS

    entry = sent_entry(records, "sarah.mason@klaviyo-demo.com")
    assert entry.points == records.program().review_rule.points
    refused = eventually("decision", lambda: records.decision("1b5e385b52fb405715f3616c337cc65d"), seconds=240)
    assert refused.code == "not_verified"
    assert records.member("bill.joel@klaviyo-demo.com") is None

    eventually("end of every repeat", lambda: stack.worked_off("ReviewsQueue"), seconds=240)
    assert stack.worked_off("ReviewsDeadLetterQueue")
    refused_by_the_queue = [line for line in stack.logs("review_award") if "at the queue's own time" in line]
    assert refused_by_the_queue == [], "who met another worker chooses when it comes back"
    assert len(records.journal("sarah.mason@klaviyo-demo.com")) == 1
    (event,) = klaviyo.our_events("sarah.mason@klaviyo-demo.com")
    assert event["properties"]["$event_id"] == entry.id


def test_a_rating_and_the_review_of_one_submission_pay_once(
    klaviyo: Inspection, records: Records, customer: str, stack: Stack
) -> None:
    """R108."""
    review = submit(klaviyo, customer)["event"]
    entry = sent_entry(records, customer)
    key = entry.source.id
    properties = dict(review["properties"]) | {"$event_id": f"rating-{key}"}
    properties.pop("review_content", None)
    event = {
        "external_id": "rating-event",
        "topic": "event:klaviyo.submitted_rating",
        "payload": {
            "data": {
                "type": "event",
                "id": "rating-event",
                "attributes": {
                    "event_properties": properties,
                    "datetime": "2026-08-20T14:03:11+00:00",
                    "timestamp": 1787234591,
                },
            }
        },
    }
    webhook = stack.description.webhook_id
    meta = {"klaviyo_account_id": "AbC123", "klaviyo_webhook_id": webhook, "version": "2026-07-15"}
    body = json.dumps({"data": [event], "meta": meta}).encode()
    answer = deliver(stack, body, secret=stack.description.webhook_secret, webhook=webhook)
    assert answer.json() == {"queued": 1, "unusable": 0, "ignored": 0}
    eventually("end of the rating", lambda: stack.worked_off("ReviewsQueue"), seconds=240)
    assert [each.id for each in records.journal(customer)] == [entry.id]


@pytest.mark.parametrize(
    ("secret", "webhook", "slug", "status"),
    [
        ("a wrong secret of some length", "", "", 401),
        ("", "01HF7AYTK76RHR4F17G6DOTHER", "", 401),
        ("", "", "no-such-program", 404),
    ],
)
def test_what_is_not_authentic_is_refused_and_leaves_no_trace(
    stack: Stack, records: Records, customer: str, secret: str, webhook: str, slug: str, status: int
) -> None:
    """R120: wrong secret, somebody else's webhook, unknown program."""
    known = stack.description.webhook_id
    event = {"external_id": "e", "topic": "event:klaviyo.submitted_review", "payload": {"data": {"id": "e"}}}
    event["payload"]["data"]["attributes"] = {  # type: ignore[index]
        "event_properties": {"review_email": customer, "review_verified": True, "review_rating": 5},
        "datetime": "2026-08-20T14:03:11+00:00",
    }
    body = json.dumps({"data": [event], "meta": {"klaviyo_webhook_id": known}}).encode()
    answer = deliver(
        stack, body, secret=secret or stack.description.webhook_secret, webhook=webhook or known, slug=slug
    )
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] in {"invalid_signature", "unknown_program"}
    assert records.member(customer) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after": 1},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "reset_before"},
        {"kind": "reset_after"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_klaviyos_troubles_end_in_one_event_and_the_newest_profile(
    faults: Inspection, records: Records, customer: str, fault: dict[str, Any]
) -> None:
    """Retryable errors and 429 come back later (R37, R75)."""
    for operation in ("bulk_create_events", "create_or_update_profile"):
        faults.post("/faults", operation=operation, times=1, **fault)
    submit(faults, customer)
    entry = sent_entry(records, customer)
    eventually("balance on the profile", lambda: balance(faults, customer) == entry.after.available, seconds=300)
    (event,) = faults.our_events(customer)
    assert event["properties"]["$event_id"] == entry.id


def balance(klaviyo: Inspection, email: str) -> Any:
    profile = klaviyo.profile(email)
    return profile["properties"].get("loyalty_points_balance") if profile else None


def test_no_log_line_holds_a_person_or_a_secret(
    stack: Stack, klaviyo: Inspection, records: Records, customer: str
) -> None:
    """Addresses, review texts, keys and secrets stay out of every function's log, and out of plain items."""
    text = "This text is nobody's business"
    submit(klaviyo, customer, content=text)
    sent_entry(records, customer)
    eventually("line in every function's log", lambda: all(stack.logs(function) for function in FUNCTIONS), seconds=240)
    lines = "\n".join(line for function in FUNCTIONS for line in stack.logs(function))
    items = repr(stack.client("dynamodb").scan(TableName=stack.description.table)["Items"])
    for secret in (stack.description.webhook_secret, stack.klaviyo.private_key, text):
        assert secret not in lines
        assert secret not in items
    assert customer not in lines
    assert "@klaviyo-demo.com" not in lines
