"""Programs, settings, keys, members and the webhook builder, from the gateway's event to the table."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
import pytest
from moto import mock_aws
from openapi_schema_validator import OAS31Validator

from functions.balance_adjust import app as balance_adjust
from functions.klaviyo_connection import app as klaviyo_connection
from functions.program_api import app
from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.contracts.openapi import openapi
from loyalty.services.build_webhooks import BuildWebhooks
from tests.fakes.klaviyo_wire import FakeAccount
from tests.fakes.memory_oauth import MemoryApp
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_vault import MemoryVault
from tests.gateway import HOST, Answered, Context, a_request, answered
from tests.logs import written
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION, TABLE = "eu-central-1", "ledger"
EMAIL = "sarah.mason@klaviyo-demo.com"
OPERATOR = "operators-own-key"
ROOT = f"https://{HOST}/v1"
DESCRIPTION = openapi("/v1")


@dataclass
class Api:
    """Both functions, and the admin key of the program candles."""

    key: str = ""

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        sent = {**(headers or {}), "api-key": self.key if key is None else key}
        event = a_request(method, path, body, headers=sent, query=query)
        function = balance_adjust if "/balance/" in path else klaviyo_connection if "/webhook-builder" in path else app
        answer = answered(function.lambda_handler(event, Context()))
        assert_described(method, path, answer)
        return answer

    def adjust(self, way: str, *items: dict[str, Any], flow: str = "") -> Answered:
        path = f"/programs/candles/balance/{way}"
        return self.call("POST", path, list(items), headers={"X-Klaviyo-Flow-ID": flow})

    def settings(self) -> Answered:
        return self.call("GET", "/programs/candles/settings")

    def change(self, version: str | None = '"1"', **changes: Any) -> Answered:
        body = {**self.settings().document["settings"], **changes}
        headers = {} if version is None else {"If-Match": version}
        return self.call("PUT", "/programs/candles/settings", body, headers=headers)

    def member(self, rest: str = "", email: str = EMAIL, **query: str) -> Answered:
        return self.call("GET", f"/programs/candles/members/{quote(email)}{rest}", query=query)


def assert_described(method: str, path: str, answer: Answered) -> None:
    """Every answer is one that the API's description promises, in its form."""
    for template, operations in DESCRIPTION["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            response = operations[method.lower()]["responses"][str(answer.status)]
            ((kind, content),) = response["content"].items()
            assert answer.headers["content-type"] == kind
            schema = {**content["schema"], "components": DESCRIPTION["components"]}
            OAS31Validator(schema).validate(answer.document)
            return
    assert answer.status == 404


@pytest.fixture(scope="module")
def account() -> Iterator[DynamoDBClient]:
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        secrets = boto3.client("secretsmanager", region_name=REGION)
        arn = secrets.create_secret(Name="operator", SecretString=OPERATOR)["ARN"]
        queue = boto3.client("sqs", region_name=REGION).create_queue(QueueName="sweeps")["QueueUrl"]
        names = {"AWS_REGION": REGION, "TABLE_NAME": TABLE, "OPERATOR_KEY_SECRET": arn, "SWEEPS_QUEUE_URL": queue}
        for name, value in names.items():
            patch.setenv(name, value)
        client = boto3.client("dynamodb", region_name=REGION)
        create_table(client, TABLE)
        for function in (app, balance_adjust):
            function.service.replace(None)
            function.service()
        klaviyo_connection.service.replace(_builder())
        yield client
        for function in (app, balance_adjust, klaviyo_connection):
            function.service.replace(None)


def _builder() -> Any:
    """As much of ``klaviyo_connection`` as builds webhooks without asking Klaviyo."""
    account = FakeAccount()
    klaviyo = account.connections(MemoryPrograms(), MemoryVault())
    limits = CallLimits(account.clock)
    return SimpleNamespace(builder=BuildWebhooks(app.service().admit, MemoryApp("", "", ROOT), klaviyo, limits))


@pytest.fixture
def api(account: DynamoDBClient) -> Iterator[Api]:
    api = Api()
    opened = api.call("POST", "/programs", {"slug": "candles", "name": "Candle Club"}, key=OPERATOR)
    assert opened.status == 201, opened
    api.key = opened.document["api_key"]
    yield api
    for item in account.scan(TableName=TABLE)["Items"]:
        account.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})


def announced() -> int:
    """How many messages to settle a program wait for the settings to be stored."""
    queue, url = boto3.client("sqs", region_name=REGION), os.environ["SWEEPS_QUEUE_URL"]
    counts = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    return int(counts["Attributes"]["ApproximateNumberOfMessagesDelayed"])


def refused(answer: Answered) -> tuple[int, str]:
    return answer.status, answer.document["code"]


def item(amount: int = 100, **more: Any) -> dict[str, Any]:
    return {"email": EMAIL, "amount": amount, "reason": "Bonus", **more}


def test_only_the_operator_opens_programs_and_each_once(api: Api) -> None:
    form = {"slug": "soap", "name": "Soap", "timezone": "Europe/Berlin"}
    assert refused(api.call("POST", "/programs", form)) == (403, "operator_only")
    assert refused(api.call("POST", "/programs", form, key="")) == (401, "missing_api_key")
    assert refused(api.call("POST", "/programs", form, key="wrong")) == (401, "invalid_api_key")
    assert (
        api.call("POST", "/programs", form, key=OPERATOR).document["program"]["settings"]["timezone"]
        == form["timezone"]
    )
    assert refused(api.call("POST", "/programs", form, key=OPERATOR)) == (422, "program_exists")
    wrong = api.call("POST", "/programs", {"slug": "So ap", "timezone": "Mars"}, key=OPERATOR)
    assert [error["where"] for error in wrong.document["errors"]] == ["slug", "name", "timezone"]


def test_a_new_program_is_useful_at_once(api: Api) -> None:
    """Its first key adds points, and the reviews rule is on."""
    assert api.adjust("increase", item()).document["results"][0]["balance"] == 100
    settings = api.settings().document["settings"]
    rule = settings["review_rule"]
    assert (rule["enabled"], rule["points"], rule["verified_only"], rule["limit"]) == (True, 50, True, None)


def test_settings_show_slug_and_key_prefix_and_never_a_key(api: Api) -> None:
    """R130."""
    shown = api.settings()
    technical = shown.document["technical"]
    assert technical["slug"] == "candles"
    assert api.key.startswith(technical["api_keys"][0]["prefix"])
    assert api.key not in json.dumps(shown.document)


def test_settings_are_replaced_by_the_version_that_was_read(api: Api) -> None:
    first = api.settings()
    assert first.headers["etag"] == '"1"'
    changed = api.change(balance_cap=500, naming="smile", events_off=["points_expired"])
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    assert api.settings().document["settings"]["balance_cap"] == 500
    assert refused(api.change(balance_cap=600)) == (412, "version_outdated")
    assert refused(api.change(None)) == (428, "version_missing")
    assert refused(api.change("*")) == (400, "invalid_version")
    assert api.change('"2"').headers["etag"] == '"2"', "nothing changed"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"expiry": {"policy": "calendar", "month": 2, "day": 30}}, "expiry.calendar"),
        ({"expiry": {"policy": "inactivity"}}, "expiry.inactivity"),
        ({"expiry": {"policy": "never"}}, "expiry"),
        ({"timezone": "Europe"}, "timezone"),
        ({"balance_cap": 0}, "balance_cap"),
        ({"naming": "acme"}, "naming"),
        ({"events_off": ["points_lost"]}, "events_off.0"),
        ({"overdraft": "yes"}, "overdraft"),
        ({"warning_days": [3, 3]}, "warning_days"),
        ({"review_rule": {"enabled": 1, "points": 5, "verified_only": True}}, "review_rule.enabled"),
        ({"name": " "}, "name"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_settings_are_named_by_their_place(api: Api, changes: dict[str, Any], where: str) -> None:
    answer = api.change(**changes)
    assert refused(answer) == (422, "invalid_body")
    assert [error["where"] for error in answer.document["errors"]] == [where]


def test_a_changed_expiry_policy_is_a_new_revision_from_today_on(api: Api, account: DynamoDBClient) -> None:
    api.adjust("increase", item())
    assert api.member().document["never_expiring"] == 100
    api.change(expiry={"policy": "after_earning", "months": 12})
    stored = account.get_item(TableName=TABLE, Key={"pk": {"S": "PROGRAM#candles"}, "sk": {"S": "SETTINGS"}})["Item"]
    terms = stored["terms"]["M"]
    assert (terms["expiry_revision"]["N"], len(terms["expiry_past"]["L"])) == ("1", 1)
    (expiring,) = api.member().document["expiry_schedule"]
    assert expiring["points"] == 100


def test_a_change_of_due_times_has_all_members_looked_at(api: Api) -> None:
    """R72, R183: changed terms hold from then on, for members too whom no sweep would visit for a long time."""
    before = announced()
    assert api.change('"1"', balance_cap=1000, name="Wax").status == 200
    assert announced() == before
    assert api.change('"2"', warning_days=[45, 3]).status == 200
    assert announced() == before + 1
    assert refused(api.change('"2"', warning_days=[5]))[0] == 412
    assert announced() == before + 1


def test_keys_are_made_rotated_and_revoked(api: Api) -> None:
    """R124: two keys live while one is rotated."""
    made = api.call("POST", "/programs/candles/keys", {"name": "Flows", "scopes": ["balance:write"]})
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    old, old_id = made.document["api_key"], made.document["key"]["key_id"]
    rotated = api.call("POST", f"/programs/candles/keys/{old_id}/rotate").document
    for key in (old, rotated["api_key"]):
        assert api.call("POST", "/programs/candles/balance/increase", [item()], key=key).status == 200
        assert refused(api.call("GET", "/programs/candles/keys", key=key)) == (403, "missing_scope")
    assert api.call("DELETE", f"/programs/candles/keys/{old_id}").document["revoked_at"]
    assert refused(api.call("POST", "/programs/candles/balance/increase", [item()], key=old))[0] == 401
    listed = api.call("GET", "/programs/candles/keys").document["keys"]
    assert {key["replaces"] for key in listed} == {None, old_id}
    assert refused(api.call("DELETE", "/programs/candles/keys/aaaaaaaaaaaaaaaa")) == (404, "unknown_key")


def test_the_operator_may_do_everything_in_every_program(api: Api) -> None:
    assert api.call("GET", "/programs/candles/settings", key=OPERATOR).status == 200
    assert refused(api.call("GET", "/programs/wax/settings", key=OPERATOR)) == (404, "unknown_program")


def test_a_member_is_made_changed_and_read(api: Api) -> None:
    path = f"/programs/candles/members/{EMAIL}"
    made = api.call("PUT", path, {"state": "candidate", "first_name": "Sarah"})
    assert (made.status, made.document["state"], made.document["first_name"]) == (201, "candidate", "Sarah")
    changed = api.call("PUT", path, {"state": "excluded", "phone": "+4930901820", "birthday": "1990-02-28"})
    assert (changed.status, changed.document["state"], changed.document["version"]) == (200, "excluded", 2)
    assert api.call("PUT", path, {"state": "excluded"}).document["version"] == 2, "nothing changed"
    assert api.member().document == changed.document
    assert api.adjust("increase", item()).document["results"][0]["error"]["code"] == "member_excluded"
    wrong = api.call("PUT", path, {"state": "erased", "phone": "1", "birthday": "28.2."})
    assert [error["where"] for error in wrong.document["errors"]] == ["state", "phone", "birthday"]


def test_an_address_that_somebody_else_has_is_refused(api: Api) -> None:
    for email in (EMAIL, "bill.joel@klaviyo-demo.com"):
        api.call("PUT", f"/programs/candles/members/{email}", {"state": "member"})
    answer = api.call("PUT", f"/programs/candles/members/{EMAIL}", {"email": "bill.joel@klaviyo-demo.com"})
    assert refused(answer) == (422, "identity_taken")


def test_who_is_unknown_or_no_address_is_told_so(api: Api) -> None:
    for rest in ("", "/activity", "/summary"):
        assert refused(api.member(rest)) == (404, "unknown_member")
        assert refused(api.member(rest, "nonsense")) == (400, "invalid_email")


def test_a_member_is_found_by_the_stores_id_and_by_phone(api: Api) -> None:
    """W13: a till knows no e-mail address."""
    made = api.call("PUT", f"/programs/candles/members/{EMAIL}", {"external_id": "C 7", "phone": "+4930901820"})
    for query in ({"external_id": "C 7"}, {"phone": "+4930901820"}):
        assert api.call("GET", "/programs/candles/members", query=query).document == made.document
    assert refused(api.call("GET", "/programs/candles/members", query={"external_id": "C 8"})) == (
        404,
        "unknown_member",
    )
    assert refused(api.call("GET", "/programs/candles/members")) == (422, "invalid_query")


def test_a_mistake_is_undone_once(api: Api) -> None:
    """W8: by hand, with a reason; sent again it is answered again."""
    given = api.adjust("increase", item(100)).document["results"][0]["entry_id"]
    path, form = f"/programs/candles/members/{EMAIL}/undo", {"entry_id": given, "reason": "Wrong customer"}
    first = api.call("POST", path, form)
    assert (first.status, first.document["points"], first.document["balance"]) == (200, -100, 0)
    assert api.call("POST", path, form).document == {**first.document, "replayed": True}
    assert refused(api.call("POST", path, form, headers={"Idempotency-Key": "7"})) == (422, "already_reversed")
    newest = api.member("/activity").document["entries"][0]
    assert (newest["reverses"], newest["reason"]) == (given, "Wrong customer")
    assert refused(api.call("POST", path, {**form, "entry_id": "x"})) == (422, "invalid_body")


def test_two_members_are_made_one(api: Api) -> None:
    """W13."""
    bill = "bill.joel@klaviyo-demo.com"
    api.adjust("increase", item(100), {**item(20), "email": bill})
    merged = api.call("POST", f"/programs/candles/members/{bill}/merge", {"into": EMAIL})
    assert (merged.status, merged.document["email"], merged.document["balances"]["available"]) == (200, EMAIL, 120)
    assert api.member(email=bill).document == api.member().document == merged.document


def test_an_address_may_be_encoded(api: Api) -> None:
    email = "sarah+candles@klaviyo-demo.com"
    api.call("PUT", f"/programs/candles/members/{quote(email, safe='')}", {"state": "member"})
    assert api.member(email=email).document["email"] == email


def test_the_activity_log_tells_every_change_newest_first(api: Api) -> None:
    """R171, R182: reason word for word, actor, source, balance after, delivery state; in pages."""
    reason = 'For "Candle" <b>&</b> 🕯'
    api.adjust("increase", item(100, reason=reason), flow="VeYaWr")
    api.adjust("decrease", item(30, reason="Sorry"))
    first = api.member("/activity", limit="1").document
    (newest,) = first["entries"]
    assert (newest["points"], newest["balance"], newest["reason"], newest["source"]["kind"]) == (
        -30,
        70,
        "Sorry",
        "api",
    )
    second = api.member("/activity", limit="1", cursor=first["next_cursor"]).document
    (oldest,) = second["entries"]
    assert (oldest["points"], oldest["balance"], oldest["reason"]) == (100, 100, reason)
    assert oldest["source"] == {"kind": "flow", "id": "VeYaWr"}
    assert oldest["actor"] == api.key.split("_")[1]
    assert oldest["delivery"]["state"] == "skipped"
    assert second["next_cursor"] is None
    assert len(api.member("/activity").document["entries"]) == 2
    for query in ({"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "-1"}, {"cursor": "٣"}):
        assert api.member("/activity", **query).status == 400


def test_only_the_operator_says_what_a_plan_includes(api: Api) -> None:
    """R24: Klaviyo is part of every plan until the operator takes it out."""
    path = "/programs/candles/entitlements"
    assert api.settings().document["entitlements"] == {"klaviyo": True}
    assert refused(api.call("PUT", path, {"klaviyo": False})) == (403, "operator_only")
    assert api.call("PUT", path, {"klaviyo": False}, key=OPERATOR).document["entitlements"] == {"klaviyo": False}
    assert (api.settings().document["version"], api.settings().document["entitlements"]["klaviyo"]) == (2, False)
    assert api.change(version='"2"', name="Wax").document["entitlements"] == {"klaviyo": False}
    assert refused(api.call("PUT", path, {"klaviyo": "no"}, key=OPERATOR)) == (422, "invalid_body")


def test_only_members_see_a_summary(api: Api) -> None:
    """R160, R164: candidates and excluded customers have none."""
    api.change(expiry={"policy": "after_earning", "days": 90})
    api.adjust("increase", item())
    assert refused(api.member("/summary")) == (404, "unknown_member")
    path = f"/programs/candles/members/{EMAIL}"
    api.call("PUT", path, {"state": "member"})
    summary = api.member("/summary").document
    assert summary["points_balance"] == api.member().document["balances"]["available"] == 100
    assert summary["next_expiry"]["points"] == 100
    api.call("PUT", path, {"state": "excluded"})
    assert refused(api.member("/summary")) == (404, "unknown_member")


def test_a_summary_says_what_comes_next(api: Api) -> None:
    """R160-R162: tier and rewards, each with the points missing to the next one, as the settings define them."""
    nothing = dict.fromkeys(("tier", "next_tier", "best_reward", "next_reward"))
    api.call("PUT", f"/programs/candles/members/{EMAIL}", {"state": "member"})
    api.adjust("increase", item(700))
    api.adjust("decrease", item(100))
    assert nothing.items() <= api.member("/summary").document.items()
    tiers = [{"id": 2, "name": "Gold", "from_points": 1000}, {"id": 1, "name": "All", "from_points": 0}]
    rewards = [{"id": f"off-{price}", "name": f"{price / 100:g} EUR off", "points": price} for price in (500, 1800)]
    assert api.change(tiers=tiers, rewards=rewards).status == 200
    summary = api.member("/summary").document
    assert summary["tier"] == {"id": 1, "name": "All", "from_points": 0, "benefits": ""}
    assert (summary["next_tier"]["name"], summary["next_tier"]["missing_points"]) == ("Gold", 300)
    assert summary["best_reward"] == {"id": "off-500", "name": "5 EUR off", "points": 500}
    assert (summary["next_reward"]["name"], summary["next_reward"]["missing_points"]) == ("18 EUR off", 1200)


def rendered(template: str, event: Mapping[str, str]) -> str:
    """Template tags as Klaviyo renders them, as far as the builder uses them."""
    known = {"person.email": EMAIL, "person.KlaviyoID": "01GDDKASAP8TKDDA2GRZDSVP4H"}
    known |= {f"event.{name}": value for name, value in event.items()}
    return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", lambda tag: known[tag[1]], template)


def sent_as_built(api: Api, built: Mapping[str, Any], event: Mapping[str, str] | None = None) -> Answered:
    assert built["url"].startswith(ROOT)
    body = rendered(built["body"], event or {})
    key = built["headers"]["api-key"]
    path = built["url"].removeprefix(ROOT)
    return api.call("POST", path, body, key=key, headers={"X-Klaviyo-Flow-ID": "VeYaWr"})


@pytest.mark.parametrize("idea", ["bonus", "welcome", "review", "win_back", "birthday"])
def test_what_the_builder_gives_pays_once_as_it_stands(api: Api, idea: str) -> None:
    """R132, R135-R138: posted after rendering, again and again, as Klaviyo's retries do."""
    built = api.call("GET", "/programs/candles/webhook-builder", query={"idea": idea, "amount": "25"}).document
    answers = [sent_as_built(api, built, {"review_id": "r1"}).document["results"][0] for _ in range(3)]
    assert [answer["replayed"] for answer in answers] == [False, True, True]
    assert api.member().document["balances"]["available"] == 25
    message = built["flow"]["data"]["attributes"]["definition"]["actions"][0]["data"]["message"]
    assert (message["url"], message["headers"], message["body"]) == (built["url"], built["headers"], built["body"])


def test_the_builder_opens_for_either_direction(api: Api) -> None:
    """R133, R134."""
    api.adjust("increase", item())
    for direction in ("increase", "decrease"):
        built = api.call("GET", "/programs/candles/webhook-builder", query={"direction": direction}).document
        assert built["url"].endswith(f"/programs/candles/balance/{direction}")
        assert sent_as_built(api, built).document["results"][0]["status"] == "posted"
    assert api.member().document["balances"]["available"] == 100


def test_the_builder_says_what_is_missing(api: Api) -> None:
    built = api.call("GET", "/programs/candles/webhook-builder", query={"idea": "review"}, key=OPERATOR).document
    assert [warning["code"] for warning in built["warnings"]] == ["review_rule_is_on", "key_missing"]
    for query in ({"idea": "lottery"}, {"amount": "0"}, {"amount": "1.5"}, {"direction": "up"}):
        answer = api.call("GET", "/programs/candles/webhook-builder", query=query)
        assert refused(answer) == (422, "invalid_query")


def test_the_description_is_for_everybody(api: Api) -> None:
    answer = api.call("GET", "/openapi.json", key="")
    assert answer.document["openapi"] == "3.1.0"
    assert answer.document["servers"] == [{"url": f"https://{HOST}/v1"}]


@pytest.mark.parametrize("body", ["", "[", '{"name": "x", "name": "y"}', " " * 70_000, "{}", "[]", "null"])
def test_bodies_that_are_no_documents_are_4xx(api: Api, body: str) -> None:
    for method, path in (("POST", "/programs/candles/keys"), ("PUT", f"/programs/candles/members/{EMAIL}")):
        if (method, body) != ("PUT", "{}"):
            assert 400 <= api.call(method, path, body).status < 500


def test_no_log_line_names_a_member_or_a_key(api: Api) -> None:
    with written() as out:
        api.call("PUT", f"/programs/candles/members/{EMAIL}", {"state": "member", "first_name": "Sarahlinda"})
        api.adjust("increase", item(reason="Private reason"))
        for rest in ("", "/activity", "/summary"):
            api.member(rest)
            api.member(rest, "stranger@klaviyo-demo.com")
        api.call("POST", "/programs/candles/keys", {"name": "Flows", "scopes": ["admin"]})
    for private in (EMAIL, "stranger", "Sarahlinda", "Private reason", api.key.split("_")[2], quote(EMAIL)):
        assert private not in out.text
    assert len(out.lines("key issued")) == 1
