"""The whole life of a connection on the deployed stack: connect, stay connected, lose access, come back, leave."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from local.fake_klaviyo.seed import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from local.inspection import Inspection
from local.stack import Stack
from local.waiting import eventually
from loyalty.domain.ledger.entry import DeliveryState
from tests.e2e.merchants import Merchant, arriving


@pytest.fixture
def merchant(stack: Stack, klaviyo: Inspection) -> Iterator[Merchant]:
    with arriving(stack, klaviyo) as merchant:
        yield merchant


def events_sent(merchant: Merchant, email: str) -> bool | None:
    journal = merchant.journal(email)
    return (bool(journal) and all(entry.delivery.state is DeliveryState.SENT for entry in journal)) or None


def test_the_whole_life_of_a_connection(merchant: Merchant, stack: Stack, klaviyo: Inspection) -> None:
    """R1-R8, R15-R23, R26, R27, R30, R102, R118, R153."""
    assert merchant.health()["status"] == "not_connected"
    page = merchant.connects()
    assert (page.status_code, "Connected" in page.text) == (200, True), page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    health = merchant.health()
    assert (health["status"], health["mode"], health["account_id"]) == ("connected", "oauth", merchant.account)
    assert (health["missing_scopes"], health["capabilities"]["reviews"]) == ([], True)
    assert [webhook["id"] for webhook in merchant.webhooks()] == [health["webhook"]["id"]]
    assert_it_is_among_the_integrations(merchant)

    assert_samples_make_metrics_known(merchant)
    assert_nobody_hears_before_the_first_sync(merchant)

    klaviyo.post("/tokens/expire", account=merchant.account)
    email = merchant.reviewed()
    eventually("the event after the token's end", lambda: events_sent(merchant, email))
    assert merchant.health()["status"] == "connected"

    klaviyo.post("/uninstall", client_id=DEFAULT_CLIENT_ID, account=merchant.account)
    waiting = [merchant.reviewed() for _ in range(3)]
    eventually("lost access", lambda: merchant.health()["status"] == "access_lost" or None)
    eventually("their points", lambda: all(merchant.journal(each) for each in waiting) or None)
    (told,) = eventually("the notification", merchant.told)
    assert merchant.slug in told

    klaviyo.post("/clock/advance", seconds=120)
    assert merchant.connects().status_code == 200
    for each in waiting:
        eventually("what was owed", lambda each=each: events_sent(merchant, each))  # type: ignore[misc]
        assert len({event["unique_id"] for event in merchant.heard(each)}) == len(merchant.heard(each))
    assert (merchant.told(), merchant.health()["last_error"], len(merchant.webhooks())) == ([], None, 1)

    answer = stack.client("lambda").invoke(FunctionName=stack.physical_id("KlaviyoUpkeepFunction"), Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()

    status, problem = merchant.asks("POST", "/klaviyo/disconnect")
    assert (status, problem["code"]) == (400, "confirmation_missing")
    klaviyo.post("/clock/advance", seconds=120)
    status, done = merchant.asks("POST", "/klaviyo/disconnect", confirm=True)
    assert (status, done["webhooks_deleted"], done["access_revoked"]) == (200, True, True)
    assert merchant.webhooks() == []
    klaviyo.post("/clock/advance", seconds=120)
    assert merchant.connects().status_code == 200
    assert len(merchant.webhooks()) == 1
    installs = [each for each in klaviyo.get("/installs")["installs"] if each["account"] == merchant.account]
    assert len([each for each in installs if each["refresh_token"]]) == 1
    assert_no_secret_is_readable(merchant, stack, klaviyo)


def assert_it_is_among_the_integrations(merchant: Merchant) -> None:
    """R23: with its status and the address of its own page."""
    klaviyo = {"name": "klaviyo", "status": "connected", "href": f"/v1/programs/{merchant.slug}/klaviyo"}
    assert merchant.asks("GET", "/integrations") == (200, {"integrations": [klaviyo]})


def assert_samples_make_metrics_known(merchant: Merchant) -> None:
    """R153: one back-fill event of each type, so that flows can be built before anything happens."""
    inbox = f"inbox-{merchant.slug}@klaviyo-demo.com"
    status, samples = merchant.asks("POST", "/klaviyo/sample-events", email=inbox)
    assert (status, samples["sent"]) == (200, len(samples["events"])), samples
    told = {event["metric"] for event in merchant.heard(inbox) if event["backfill"]}
    assert told == {sample["metric"] for sample in samples["events"]}


def assert_nobody_hears_before_the_first_sync(merchant: Merchant) -> None:
    """R27, R30: points are given at once, and told when the merchant has started the first sync."""
    email = merchant.reviewed()
    eventually("points before the first sync", lambda: merchant.journal(email) or None)
    assert (merchant.heard(email), merchant.asks("POST", "/klaviyo/sync")[0]) == ([], 202)
    eventually("the first event", lambda: events_sent(merchant, email), seconds=120)
    assert merchant.asks("GET", "/klaviyo/sync")[1]["state"] == "done"


def assert_no_secret_is_readable(merchant: Merchant, stack: Stack, klaviyo: Inspection) -> None:
    """No token, secret or address is in an item, in a page or in a log line."""
    installs = [each for each in klaviyo.get("/installs")["installs"] if each["account"] == merchant.account]
    secrets = {DEFAULT_CLIENT_SECRET, stack.description.operator_key}
    secrets |= {webhook["secret_key"] for webhook in merchant.webhooks()}
    secrets |= {
        token for install in installs for token in [install["refresh_token"], *install["access_tokens"]] if token
    }
    functions = ("oauth_callback", "klaviyo_connection", "klaviyo_events", "klaviyo_profiles", "klaviyo_upkeep")
    written = "\n".join(line for function in functions for line in stack.logs(function))
    items = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.description.table)
    stored = "".join(str(page["Items"]) for page in items)
    assert written
    assert not [secret for secret in secrets if secret in written or secret in stored]
    assert "@klaviyo-demo.com" not in written


def test_a_forged_a_foreign_and_a_repeated_callback_are_refused(merchant: Merchant) -> None:
    """The pages say what to do, and the earlier state stays."""
    url, cookie = merchant.departs()
    forged = url.replace("state=", "state=x")
    for asked, headers, status in (
        (forged, {"Cookie": cookie}, 400),
        (url, {}, 403),
        (url, {"Cookie": "tallyhook_connect=another"}, 403),
        (url, {"Cookie": cookie}, 200),
        (url, {"Cookie": cookie}, 409),
    ):
        answer = requests.get(asked, headers=headers, timeout=40)
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "Traceback" not in answer.text
        assert not [value for _, value in parse_qsl(urlsplit(url).query) if value in answer.text]
    assert merchant.health()["status"] == "connected"
    merchant.klaviyo.post("/clock/advance", seconds=60)
    assert merchant.asks("POST", "/klaviyo/disconnect", confirm=True)[0] == 200


def test_an_install_from_klaviyos_side_ends_in_the_same_flow(merchant: Merchant) -> None:
    url = f"{merchant.stack.description.api_url}/klaviyo/oauth/install"
    assert "<form" in requests.get(url, timeout=40).text
    wrong = requests.post(url, data={"program": merchant.slug, "key": "wrong"}, timeout=40)
    assert wrong.status_code == 401
    key = merchant.stack.description.operator_key
    right = requests.post(url, data={"program": merchant.slug, "key": key}, timeout=40)
    assert (right.status_code, "/klaviyo/oauth/start?ticket=" in right.text) == (200, True)
    assert key not in right.text


def test_without_a_key_nothing_is_told(merchant: Merchant) -> None:
    for method, path in (("GET", "/klaviyo"), ("POST", "/klaviyo/connect"), ("POST", "/klaviyo/disconnect")):
        assert requests.request(method, f"{merchant.api}{path}", timeout=40).status_code == 401


def test_a_flow_is_drafted_in_the_merchants_account_once(merchant: Merchant) -> None:
    """R14, R138: under the function's own role, with the URL by which Klaviyo reaches this deployment."""
    status, refused = merchant.asks("POST", "/webhook-builder/flow", idea="birthday")
    assert (status, refused["code"]) == (409, "not_connected")
    assert merchant.connects().status_code == 200
    status, drafted = merchant.asks("POST", "/webhook-builder/flow", idea="birthday")
    assert (status, drafted["created"]) == (201, True), drafted
    (flow,) = merchant.klaviyo.get("/flows", account=merchant.account)["flows"]
    (action,) = flow["definition"]["actions"]
    assert (flow["id"], flow["status"]) == (drafted["flow_id"], "draft")
    assert action["data"]["message"]["url"] == f"{merchant.api}/balance/increase"
    status, again = merchant.asks("POST", "/webhook-builder/flow", idea="birthday")
    assert (status, again["flow_id"], again["created"]) == (200, drafted["flow_id"], False)
