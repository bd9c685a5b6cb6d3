"""The balance API from the gateway's event to the table: handler, use case and adapters, AWS played in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from functions.balance_adjust import app
from loyalty.adapters.dynamodb.key_store import DynamoKeys
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.api_keys import Scope
from loyalty.domain.errors import Misconfigured, Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Plan
from loyalty.services.keep_keys import IssuedKey, KeepKeys
from loyalty.services.posting import Ledger
from tests.builders import SARAH, a_program
from tests.gateway import Answered, Context, a_request, answered
from tests.logs import written
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION, TABLE = "eu-central-1", "ledger"
ITEM = {"email": SARAH.value, "amount": 100, "reason": "Bonus points from Klaviyo flow"}


@dataclass(frozen=True)
class Api:
    """The deployed function, two programs, and a key for the first."""

    client: DynamoDBClient
    key: IssuedKey

    @property
    def keys(self) -> KeepKeys:
        return KeepKeys(DynamoKeys(self.client, TABLE), SystemClock(), SystemRandomness())

    def post(
        self,
        body: object,
        *,
        way: str = "increase",
        slug: str = "candles",
        key: str | None = None,
        context: Context | None = None,
        **headers: str,
    ) -> Answered:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Api-Key"] = self.key.text if key is None else key
        event = a_request("POST", f"/programs/{slug}/balance/{way}", body, headers=sent)
        return answered(app.lambda_handler(event, context or Context()))  # type: ignore[arg-type]

    def points(self) -> list[int]:
        store = DynamoLedger(self.client, TABLE)
        member = Ledger(store, SystemClock(), SystemRandomness()).find(a_program(), SARAH)
        return [entry.points for entry in store.journal(a_program().slug, member.member_id)] if member else []


@pytest.fixture(scope="module")
def account() -> Iterator[DynamoDBClient]:
    """One account and one table for all tests: making clients takes longer than any of them."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_REGION", REGION)
        patch.setenv("TABLE_NAME", TABLE)
        client = boto3.client("dynamodb", region_name=REGION)
        create_table(client, TABLE)
        app.service.replace(None)
        app.service()
        yield client
        app.service.replace(None)


@pytest.fixture
def api(account: DynamoDBClient) -> Iterator[Api]:
    for slug in ("candles", "soap"):
        DynamoPrograms(account, TABLE).create(a_program(slug=ProgramSlug(slug)))
    keep = KeepKeys(DynamoKeys(account, TABLE), SystemClock(), SystemRandomness())
    yield Api(account, keep.create(ProgramSlug("candles"), "Flows", [Scope.BALANCE_WRITE]))
    for item in account.scan(TableName=TABLE)["Items"]:
        account.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})


def test_jeris_contract(api: Api) -> None:
    """R121, R122: the body of Jeri's page, both ways."""
    up = api.post([ITEM], X_Klaviyo_Flow_ID="VeYaWr")
    down = api.post([{**ITEM, "amount": 30}], way="decrease")
    assert (up.status, down.status) == (200, 200)
    assert [answer.document["results"][0]["balance"] for answer in (up, down)] == [100, 70]
    assert up.document["results"][0].keys() == {
        "index",
        "status",
        "entry_id",
        "points",
        "balance",
        "replayed",
        "warnings",
    }
    assert api.points() == [100, -30]


def test_the_same_step_again_is_answered_the_same(api: Api) -> None:
    """R139."""
    step = [{**ITEM, "idempotency_key": "welcome-1"}]
    first, *again = [api.post(step, X_Klaviyo_Flow_ID="VeYaWr") for _ in range(3)]
    first.document["results"][0]["replayed"] = True
    assert [answer.document for answer in again] == [first.document] * 2
    assert api.points() == [100]


def test_every_mistake_is_told_at_once_as_a_problem(api: Api) -> None:
    answer = api.post([ITEM, {**ITEM, "amount": 0}, {**ITEM, "email": "{{ person.email }}"}])
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.document["code"] == "invalid_items"
    assert [error["where"] for error in answer.document["errors"]] == ["1.amount", "2.email"]
    assert api.points() == []


@pytest.mark.parametrize(
    ("request_parts", "status", "code"),
    [
        ({"body": "[", "slug": "candles"}, 400, "malformed_json"),
        ({"body": "{}", "slug": "candles"}, 422, "not_an_array"),
        ({"body": " " * 300_000}, 413, "body_too_large"),
        ({"body": [ITEM] * 10_001}, 413, "body_too_large"),
        ({"body": [{}] * 10_001}, 422, "too_many_items"),
        ({"body": [ITEM], "key": ""}, 401, "missing_api_key"),
        ({"body": [ITEM], "key": "tk_wrong"}, 401, "invalid_api_key"),
        ({"body": [ITEM], "slug": "soap"}, 403, "key_of_another_program"),
        ({"body": [ITEM], "slug": "wax"}, 404, "unknown_program"),
        ({"body": [ITEM], "way": "burn"}, 404, "no_such_route"),
        ({"body": [ITEM], "Idempotency_Key": "x" * 300}, 400, "invalid_idempotency_key"),
    ],
)
def test_the_callers_mistakes_are_4xx(api: Api, request_parts: dict[str, Any], status: int, code: str) -> None:
    answer = api.post(**request_parts)
    assert (answer.status, answer.document["code"]) == (status, code)
    assert api.points() == []


@pytest.mark.parametrize("error", [Transient("busy", retry_after=9), Misconfigured("no table"), RuntimeError("bug")])
def test_our_trouble_is_503_with_a_time_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Klaviyo sends such a step again and skips it after nearly everything else (docs/klaviyo.md 7)."""

    def fails(*_: Plan) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(DynamoLedger, "commit", fails)
        answer = api.post([ITEM])
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert api.post([ITEM]).status == 200
    assert api.points() == [100]


def test_a_request_that_has_no_time_left_is_503(api: Api) -> None:
    assert api.post([ITEM], context=Context(left=1_000)).status == 503


def test_the_limit_is_429_and_for_klaviyos_flows_503(api: Api) -> None:
    key = api.keys.create(ProgramSlug("candles"), "Narrow", [Scope.BALANCE_WRITE], per_minute=1).text
    answers = [api.post([ITEM], key=key), api.post([ITEM], key=key), api.post([ITEM], key=key, X_Klaviyo_Flow_ID="A")]
    if answers[1].status == 200:  # a minute has ended in between
        answers[1:] = [api.post([ITEM], key=key), api.post([ITEM], key=key, X_Klaviyo_Flow_ID="A")]
    assert [answer.status for answer in answers] == [200, 429, 503]
    assert all(0 < int(answer.headers["retry-after"]) <= 60 for answer in answers[1:])


def test_a_revoked_key_is_refused_at_the_next_request(api: Api) -> None:
    assert api.post([ITEM]).status == 200
    api.keys.revoke(ProgramSlug("candles"), api.key.key.key_id)
    assert api.post([ITEM]).status == 401


def test_logs_tell_what_happened_without_saying_to_whom(api: Api) -> None:
    with written() as out:
        api.post([{**ITEM, "idempotency_key": "private-key"}])
        api.post([{**ITEM, "reason": "", "private@klaviyo-demo.com": 1}])
        api.post([ITEM], key="tk_wrong")
    (line,) = out.lines("balances adjusted")
    assert (line["key_id"], line["program"], line["PointsAdded"]) == (api.key.key.key_id, "candles", 100)
    for private in (SARAH.value, ITEM["reason"], api.key.presented.secret, "private"):
        assert str(private) not in out.text


def test_an_adjustment_is_one_small_transaction(api: Api) -> None:
    """The key's read, the request's count and the program's read come on top of the posting itself."""
    calls: list[str] = []
    client = app.service().ledger.store._client  # type: ignore[attr-defined]
    client.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    body = json.dumps([{**ITEM, "idempotency_key": "k"}])
    api.post(body)
    calls.clear()
    api.post(body.replace('"k"', '"k2"'))
    assert calls == ["GetItem", "UpdateItem", "Query", "GetItem", "TransactWriteItems"]
