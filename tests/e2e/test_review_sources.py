"""The ways a review comes in, on the deployed stack: missed ones are found, moderation is followed, flows pay once."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from local.inspection import Inspection
from local.stack import Stack
from local.waiting import eventually
from loyalty.adapters.klaviyo.operations import REVISION
from tallyhook.commands import main
from tests.e2e.merchants import Merchant, arriving


@pytest.fixture
def merchant(stack: Stack, klaviyo: Inspection) -> Iterator[Merchant]:
    with arriving(stack, klaviyo) as merchant:
        yield merchant


def look_after(merchant: Merchant) -> None:
    """Let the upkeep come round."""
    merchant.klaviyo.post("/clock/advance", seconds=120)
    stored = merchant.programs.load(merchant.slug)
    assert stored is not None
    assert stored.connection is not None
    due = replace(stored.connection, upkeep_at=datetime(2026, 1, 1, tzinfo=UTC))
    merchant.programs.save_connection(merchant.slug, due)
    function = merchant.stack.physical_id("KlaviyoUpkeepFunction")
    answer = merchant.stack.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def switch_webhook_off(merchant: Merchant) -> None:
    """As Klaviyo does after two days of failures."""
    installs = merchant.klaviyo.get("/installs")["installs"]
    token = next(each["access_tokens"][-1] for each in installs if each["account"] == merchant.account)
    (webhook,) = merchant.webhooks()
    data = {"type": "webhook", "id": webhook["id"], "attributes": {"enabled": False}}
    answer = requests.patch(
        f"{merchant.klaviyo.url}/api/webhooks/{webhook['id']}",
        headers={"Authorization": f"Bearer {token}", "revision": REVISION, "Content-Type": "application/vnd.api+json"},
        data=json.dumps({"data": data}),
        timeout=40,
    )
    assert answer.status_code == 200, answer.text


def submitted(merchant: Merchant) -> tuple[str, str]:
    """A customer submits a review at Klaviyo: the review's id, the customer's address."""
    email = f"customer-{uuid.uuid4().hex}@klaviyo-demo.com"
    review = merchant.klaviyo.post("/reviews", account=merchant.account, email=email, rating=5, verified=True)
    return review["review"]["id"], email


def flow_sends(merchant: Merchant, key: str, review: dict[str, Any]) -> None:
    """As Klaviyo does it: again after no answer and after a 503."""

    def taken() -> bool | None:
        try:
            answer = requests.post(f"{merchant.api}/reviews", headers={"api-key": key}, json=review, timeout=40)
        except requests.Timeout:
            return None
        assert answer.status_code in {202, 503}, answer.text
        return answer.status_code == 202 or None

    eventually("taken review", taken, seconds=240)


def points(merchant: Merchant, email: str) -> list[int]:
    return [entry.points for entry in merchant.journal(email)]


def paid(merchant: Merchant, email: str) -> Any:
    return eventually("points", lambda: points(merchant, email) or None, seconds=240)


def test_a_missed_review_a_rejected_one_and_one_by_flow(merchant: Merchant, klaviyo: Inspection) -> None:
    """R14, R112, R118, R136, and points follow moderation once each way (docs/klaviyo.md 6)."""
    assert merchant.connects().status_code == 200
    switch_webhook_off(merchant)
    missed, customer = submitted(merchant)
    look_after(merchant)
    assert paid(merchant, customer) == [50]
    assert [webhook["enabled"] for webhook in merchant.webhooks()] == [True]
    health = merchant.health()
    assert health["reviews_looked_through_at"]

    key = {"name": "Flow", "scopes": ["reviews:write"]}
    status, issued = merchant.asks("POST", "/keys", **key)
    assert status == 201, issued
    told, another = submitted(merchant)
    sent = {"email": another, "review_id": told, "rating": "5", "verified": "True", "text_length": "38"}
    for _ in range(2):
        flow_sends(merchant, issued["api_key"], sent)
    assert paid(merchant, another) == [50]

    klaviyo.patch(f"/reviews/{missed}", status="rejected", reason="fake")
    look_after(merchant)
    eventually("points taken back", lambda: points(merchant, customer) == [50, -50] or None, seconds=240)
    assert points(merchant, another) == [50]
    written = "\n".join(line for name in ("review_flow", "klaviyo_upkeep") for line in merchant.stack.logs(name))
    assert issued["api_key"] not in written
    assert "@klaviyo-demo.com" not in written


def test_judgeme_delivers_with_the_merchants_secret(merchant: Merchant) -> None:
    """R188: the same intake, and the secret is under lock and key."""
    secret = f"judgeme-{uuid.uuid4().hex}"
    status, document = merchant.asks("PUT", "/review-apps/judgeme", secret=secret)
    assert (status, document["enabled"]) == (200, True)
    review = {"id": 1, "reviewer": {"email": "nobody"}, "created_at": datetime.now(UTC).isoformat()}
    body = json.dumps({"review": review}).encode()
    url = f"{merchant.stack.description.api_url}/webhooks/judgeme/{merchant.slug}"
    for presented, status in ((signature(secret, body), 202), (signature("another secret", body), 401)):
        answer = requests.post(url, data=body, headers={"JUDGEME-HMAC-SHA256": presented}, timeout=120)
        assert answer.status_code == status, answer.text
    items = repr(merchant.stack.client("dynamodb").scan(TableName=merchant.stack.description.table)["Items"])
    assert secret not in items


def test_history_is_rehearsed_from_the_operators_terminal(stack: Stack, klaviyo: Inspection) -> None:
    """R112: the command finds Klaviyo and the credential by the stack alone, and a dry run changes nothing."""
    klaviyo.post("/clock/advance", seconds=60)
    command = ["--local", str(stack.description_file), "import-reviews", stack.description.program]
    told = CliRunner().invoke(main, [*command, "--since", "2020-01-01", "--until", "2100-01-01", "--dry-run", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["dry_run"] is True


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
