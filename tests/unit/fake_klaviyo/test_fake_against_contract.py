"""The fake and Klaviyo's official OpenAPI document agree: operations, scopes, limits, bodies."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from local.fake_klaviyo.contract import Contract
from local.fake_klaviyo.endpoints import OPERATIONS
from local.fake_klaviyo.errors import Problem
from local.fake_klaviyo.signing import signature
from tests.unit.fake_klaviyo.driving import EMAIL, EVENTS, PROFILE_IMPORT, Driver, Seen, event, profile, single

_DOCS = os.environ.get("TALLYHOOK_KLAVIYO_DOCS", "")

pytestmark = pytest.mark.skipif(
    not _DOCS, reason="TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's openapi.json and examples"
)

# Bodies of operations that the fake has, by the operation they belong to.
EXAMPLES = {
    "create_event": EVENTS,
    "bulk_create_events": "/api/event-bulk-create-jobs",
    "create_or_update_profile": PROFILE_IMPORT,
    "bulk_import_profiles": "/api/profile-bulk-import-jobs",
    "create_webhook": "/api/webhooks",
}
# Known to the API, missing from the document at hand.
BEYOND = {"get_events", "update_flow"}


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.read(Path(_DOCS) / "openapi.json")


@pytest.fixture
def strict(contract: Contract) -> Driver:
    """A fake that also checks against the contract."""
    klaviyo = Driver(contract=contract)
    klaviyo.switch(rate_limits=False)
    return klaviyo


def example(name: str) -> Any:
    return json.loads((Path(_DOCS) / "examples" / f"{name}.json").read_text(encoding="utf-8"))


def details(problems: list[Problem]) -> list[str]:
    return [f"{problem.pointer}: {problem.detail}" for problem in problems]


def check(contract: Contract, operation: str, seen: Seen) -> None:
    """The answer fits the contract."""
    assert details(contract.response_problems(operation, seen.status, seen.body)) == []


def test_paths_scopes_and_limits_are_the_published_ones(contract: Contract) -> None:
    for operation in OPERATIONS:
        if operation.name in BEYOND:
            continue
        described = contract.operations[operation.name]
        limits = described["x-klaviyo-ratelimit"]
        assert tuple(described["x-klaviyo-scopes"]) == operation.scopes, operation.name
        assert limits["burst"] == f"{operation.limits.burst}/s", operation.name
        assert limits["steady"] == f"{operation.limits.steady}/m", operation.name
        daily = None if operation.limits.daily is None else f"{operation.limits.daily}/d"
        assert limits.get("daily") == daily, operation.name


@pytest.mark.parametrize("operation", sorted(EXAMPLES))
def test_the_documented_request_examples_are_taken(strict: Driver, operation: str) -> None:
    seen = strict.post(EXAMPLES[operation], example(f"{operation}.request"))
    assert seen.status in (201, 202), seen.body


@pytest.mark.parametrize("operation", sorted(EXAMPLES))
def test_a_body_of_the_wrong_type_is_refused_by_the_contract_alone(contract: Contract, operation: str) -> None:
    body = example(f"{operation}.request")
    body["data"]["type"] = "something-else"
    assert contract.request_problems(operation, body) != []


def test_whole_numbers_and_nulls_pass_despite_the_documents_defects(contract: Contract) -> None:
    body = example("segment_has_referred_customers.request")
    condition = body["data"]["attributes"]["definition"]["condition_groups"][0]["conditions"][0]
    condition["filter"]["value"] = 1
    assert details(contract.request_problems("create_segment", body)) == []
    person = {"data": profile(location=None, external_id=None)}
    assert details(contract.request_problems("create_or_update_profile", person)) == []


def test_what_only_the_contract_knows_is_refused_with_a_pointer(strict: Driver) -> None:
    seen = strict.post(PROFILE_IMPORT, {"data": profile(location={"city": 5})})
    assert (seen.status, seen.pointers) == (400, ["/data/attributes/location"])


def test_answers_fit_the_contract(strict: Driver, contract: Contract) -> None:
    strict.post(EVENTS, single(event()))
    webhook_id = strict.webhook()
    strict.inspect("POST", "/reviews", {"email": EMAIL, "status": "rejected"})
    review_id = strict.inspect("POST", "/reviews", {"email": EMAIL, "product": None})["review"]["id"]
    strict.inspect("POST", "/faults", {"kind": "import_error", "match": {"email": EMAIL}})
    job = strict.post("/api/profile-bulk-import-jobs", example("bulk_import_profiles.request"))
    job_path = f"/api/profile-bulk-import-jobs/{job.body['data']['id']}"
    strict.fake.advance(5)
    check(contract, "bulk_import_profiles", job)
    check(contract, "create_or_update_profile", strict.post(PROFILE_IMPORT, {"data": profile()}))
    check(contract, "create_webhook", strict.post("/api/webhooks", example("create_webhook.request")))
    update = example("update_webhook.request")
    update["data"]["id"] = webhook_id
    check(contract, "update_webhook", strict.send("PATCH", f"/api/webhooks/{webhook_id}", update))
    included = {"include": "events"}
    for operation, seen in {
        "get_accounts": strict.get("/api/accounts"),
        "get_metrics": strict.get("/api/metrics"),
        "get_profiles": strict.get("/api/profiles", {"page[size]": "1"}),
        "get_bulk_import_profiles_job": strict.get(job_path),
        "get_errors_for_bulk_import_profiles_job": strict.get(f"{job_path}/import-errors"),
        "get_reviews": strict.get("/api/reviews", included),
        "get_review": strict.get(f"/api/reviews/{review_id}", included),
        "get_webhooks": strict.get("/api/webhooks"),
        "get_webhook_topics": strict.get("/api/webhook-topics"),
        "get_webhook": strict.get(f"/api/webhooks/{webhook_id}", {"include": "webhook-topics"}),
    }.items():
        assert seen.status == 200, (operation, seen.body)
        assert seen.body["data"], operation
        check(contract, operation, seen)


def test_answers_about_segments_flows_and_templates_fit_the_contract(strict: Driver, contract: Contract) -> None:
    names = ("vip_gold", "members", "has_birthday", "has_referred_customers")
    created = [strict.post("/api/segments", example(f"segment_{name}.request")) for name in names]
    for seen in created:
        assert seen.status == 201, seen.body
        check(contract, "create_segment", seen)
    segment_id = created[0].body["data"]["id"]
    update = example("update_segment.request")
    update["data"]["id"] = segment_id
    check(contract, "update_segment", strict.send("PATCH", f"/api/segments/{segment_id}", update))
    check(contract, "get_segments", strict.get("/api/segments"))
    template = strict.post("/api/templates", example("create_template.request"))
    check(contract, "create_template", template)
    strict.post(EVENTS, single(event()))
    (metric,) = strict.get("/api/metrics").body["data"]
    for name in ("create_flow_email", "create_flow_webhook"):
        body = example(f"{name}.request")
        definition = body["data"]["attributes"]["definition"]
        definition["triggers"][0]["id"] = metric["id"]
        message = definition["actions"][0]["data"]["message"]
        if "template_id" in message:
            message["template_id"] = template.body["data"]["id"]
        seen = strict.post("/api/flows", body)
        assert seen.status == 201, seen.body
        check(contract, "create_flow", seen)
    check(contract, "get_flows", strict.get("/api/flows"))


def test_the_fake_has_every_operation_of_the_contract(contract: Contract) -> None:
    assert {operation.name for operation in OPERATIONS} - BEYOND == set(contract.operations)


def test_errors_fit_the_contract_and_the_recorded_examples(strict: Driver, contract: Contract) -> None:
    strict.switch(rate_limits=True)
    strict.fake.advance(60)
    strict.get("/api/accounts")
    strict.post(PROFILE_IMPORT, {"data": profile()})
    strict.post(PROFILE_IMPORT, {"data": profile(None, external_id="cust_2")})
    found = {
        "error_429": strict.get("/api/accounts"),
        "error_409": strict.post(PROFILE_IMPORT, {"data": profile(external_id="cust_2")}),
        "error_401": strict.send("GET", "/api/accounts", headers={"authorization": "Bearer x"}),
    }
    for name, seen in found.items():
        recorded = example(f"{name}.response")["errors"][0]
        (error,) = seen.body["errors"]
        for key in ("status", "code", "title", "detail", "source"):
            assert error[key] == recorded[key], (name, key)
        check(contract, "create_or_update_profile", seen)


def test_a_delivery_has_the_documented_shape(strict: Driver) -> None:
    strict.webhook()
    strict.inspect("POST", "/reviews", {"email": EMAIL})
    strict.fake.advance(0)
    (sent,) = strict.receiver.bodies
    documented = example("system_webhook_delivery")
    assert sent.keys() == documented.keys()
    assert sent["meta"].keys() == documented["meta"].keys()
    ours, theirs = sent["data"][0], documented["data"][0]
    assert ours.keys() == theirs.keys()
    ours, theirs = ours["payload"]["data"], theirs["payload"]["data"]
    assert ours.keys() == theirs.keys()
    assert ours["attributes"].keys() == theirs["attributes"].keys()
    assert ours["relationships"].keys() == theirs["relationships"].keys()
    properties = ours["attributes"]["event_properties"]
    assert theirs["attributes"]["event_properties"].keys() <= properties.keys()


def test_the_signature_vector_is_reproduced() -> None:
    vector = example("system_webhook_signature_vector")
    headers = vector["headers"]
    found = signature(vector["secret_key"], vector["body"].encode(), headers["Klaviyo-Timestamp"])
    assert found == headers["Klaviyo-Signature"]
