"""The balance API on the deployed stack: under its own permissions, concurrently, through Klaviyo's retries."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from local.records import Records
from local.stack import Stack
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.domain.review_tally import Counted, Tally
from loyalty.review_ports import ReviewChange

RETRIED = (429, 500, 502, 503)
"""What Klaviyo's flow webhooks send again; everything else that is no 2xx is skipped for good (docs/klaviyo.md 7)."""
TRIES = 17

Call = Callable[..., requests.Response]


@pytest.fixture
def call(stack: Stack) -> Call:
    """Calls the API with the demo program's key."""

    def send(method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        sent = {
            "api-key": stack.description.api_key,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        url = f"{stack.description.api_url}/programs/demo{path}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return requests.request(method, url, data=data, headers=sent, timeout=60)

    return send


def klaviyo_sends(call: Call, path: str, body: object) -> tuple[int, dict[str, Any]]:
    """A flow's webhook action: sent again after what Klaviyo takes for trouble, skipped after anything else."""
    for _ in range(TRIES):
        try:
            answer = call("POST", path, body, X_Klaviyo_Flow_ID="VeYaWr")
        except requests.Timeout:
            continue
        if answer.status_code not in RETRIED:
            return answer.status_code, answer.json()
    raise AssertionError("given up after a day")


def test_points_go_up_and_down_and_into_the_log(call: Call, customer: str) -> None:
    """R121, R122, R171, R182."""
    for way, amount in (("increase", 100), ("decrease", 30)):
        item = {"email": customer, "amount": amount, "reason": f'"{way}" 🕯'}
        assert call("POST", f"/balance/{way}", [item]).status_code == 200
    shown = call("GET", f"/members/{customer}").json()
    assert (shown["balances"]["available"], shown["state"]) == (70, "candidate")
    log = call("GET", f"/members/{customer}/activity").json()["entries"]
    assert [(entry["points"], entry["balance"], entry["reason"]) for entry in log] == [
        (-30, 70, '"decrease" 🕯'),
        (100, 100, '"increase" 🕯'),
    ]


def test_a_step_sent_many_times_at_once_is_one_entry(call: Call, customer: str, records: Records) -> None:
    """R139: 17 deliveries from several gateways at the same time."""
    step = [{"email": customer, "amount": 5, "reason": "Step", "idempotency_key": f"step-{customer}"}]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: klaviyo_sends(call, "/balance/increase", step), range(TRIES)))
    assert {status for status, _ in answers} == {200}
    results = [answer["results"][0] for _, answer in answers]
    assert len({(result["entry_id"], result["balance"]) for result in results}) == 1
    assert sum(not result["replayed"] for result in results) <= 1, "the first answer may have come too late"
    assert [entry.points for entry in records.journal(customer)] == [5]


def test_settings_and_keys_and_members_are_served_under_the_functions_own_role(call: Call, customer: str) -> None:
    settings = call("GET", "/settings")
    assert settings.status_code == 200, settings.text
    body = settings.json()["settings"] | {"name": f"Demo {customer[-30:]}"}
    changed = call("PUT", "/settings", body, If_Match=settings.headers["ETag"])
    assert changed.status_code == 200, changed.text
    assert call("PUT", "/settings", body, If_Match=settings.headers["ETag"]).status_code == 412
    made = call("POST", "/keys", {"name": "Second", "scopes": ["members:read"]})
    assert made.status_code == 201, made.text
    key_id = made.json()["key"]["key_id"]
    assert call("POST", f"/keys/{key_id}/rotate").status_code == 201
    assert call("DELETE", f"/keys/{key_id}").status_code == 200
    assert call("GET", f"/members/{customer}", api_key=made.json()["api_key"]).status_code == 401
    joined = call("PUT", f"/members/{customer}", {"state": "member", "external_id": customer[:20]})
    assert joined.status_code == 201, joined.text
    assert call("PUT", f"/members/{customer}", {"external_id": f"{customer[:20]}-2"}).status_code == 200
    assert call("GET", f"/members/{customer}/summary").json()["points_balance"] == 0


def a_paid_review(slug: ProgramSlug, member_id: MemberId, key: str) -> ReviewChange:
    """A review that took a place under its member's limits."""
    now = datetime.now(UTC)
    decision = ReviewDecision(key, "awarded", "", "", 1, key, member_id, now, submitted_at=now)
    return ReviewChange(slug, decision, tally=Tally((Counted(key, now),)))


def test_mistakes_are_put_right_under_the_functions_own_role(
    stack: Stack, records: Records, call: Call, customer: str
) -> None:
    """W8, W13: points of the wrong customer go back, and two addresses of one person become one member.

    What limits have counted for the member that ends is counted for the other from then on (R105).
    """
    other, till = f"other-{customer}", customer[:30]
    decisions = DynamoDecisions(stack.client("dynamodb"), stack.description.table)
    decisions.commit(a_paid_review(records.slug, records.member_id(other), till))
    items = [{"email": email, "amount": 100, "reason": "Bonus"} for email in (customer, other)]
    given = call("POST", "/balance/increase", items).json()["results"][0]["entry_id"]
    undone = call("POST", f"/members/{customer}/undo", {"entry_id": given, "points": 30, "reason": "Too many"})
    assert (undone.status_code, undone.json().get("balance")) == (200, 70), undone.text
    assert call("PUT", f"/members/{other}", {"external_id": till}).status_code == 200
    first, merged = (call("POST", f"/members/{other}/merge", {"into": customer}) for _ in range(2))
    assert (first.status_code, merged.status_code) == (200, 200), first.text + merged.text
    assert merged.json()["balances"]["available"] == 170
    assert call("GET", f"/members?external_id={till}").json() == merged.json()
    assert [each.review_key for each in decisions.tally(records.slug, records.member_id(customer)).reviews] == [till]


def test_the_operator_opens_a_program(stack: Stack, customer: str) -> None:
    slug = f"shop-{customer[9:30]}"
    url = f"{stack.description.api_url}/programs"
    form = {"slug": slug, "name": "Another shop"}
    answer = requests.post(url, json=form, headers={"api-key": stack.description.operator_key}, timeout=60)
    assert answer.status_code == 201, stack.logs("program_api")[-5:]
    key = answer.json()["api_key"]
    item = [{"email": customer, "amount": 1, "reason": "First"}]
    assert requests.post(f"{url}/{slug}/balance/increase", json=item, headers={"api-key": key}, timeout=60).ok
    foreign = requests.post(f"{url}/demo/balance/increase", json=item, headers={"api-key": key}, timeout=60)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "key_of_another_program")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" + b"{}," * 10_000 + b"{}]", 422),
        (b" " * 300_000, 413),
        (b'[{"email": "a@x.com", "amount": 1e400, "reason": "r"}]', 400),
        (b'[{"email": "a@x.com", "amount": NaN, "reason": "r"}]', 400),
        (b'[{"email": "{{ person.email }}", "amount": 1, "reason": "r"}]', 422),
        (b"[" * 50_000, 400),
        (b"\xff\xfe", 400),
        ('[{"email": "a@x.com", "amount": 1, "reason": "r"}]'.encode("utf-16"), 400),
        (b'[{"email": "a@x.com", "amount": 1, "amount": 2, "reason": "r"}]', 400),
        (b'[{"email": "a@x.com", "amount": ' + b"9" * 5_000 + b', "reason": "r"}]', 400),
        (b'[{"email": "a@x.com", "amount": 99999999999999999999, "reason": "r"}]', 422),
        ('[{"email": "sarah@\N{KELVIN SIGN}laviyo.com", "amount": 1, "reason": "r"}]'.encode(), 422),
    ],
)
def test_hostile_bodies_are_4xx(call: Call, body: bytes, status: int) -> None:
    answer = call("POST", "/balance/increase", body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text


def test_no_access_log_line_and_no_function_log_line_names_a_member(stack: Stack, call: Call, customer: str) -> None:
    call("GET", f"/members/{customer}")
    call("POST", "/balance/increase", [{"email": customer, "amount": 1, "reason": "Private"}])
    lines = stack.logs("program_api") + stack.logs("balance_adjust")
    assert lines
    assert not [line for line in lines if customer in line or "Private" in line]
