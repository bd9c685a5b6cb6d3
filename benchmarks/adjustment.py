"""The processor time of one balance adjustment in our own code, beside that of the SDK for the posting's one write.

Ours is everything between the gateway's event and its answer, with stores in memory. The yardstick is one
``TransactWriteItems`` of three items through boto3, its answer given before anything is sent.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from benchmarks.result import Result
from functions.balance_adjust import app
from loyalty.adapters.dynamodb.transactions import writes_of
from loyalty.ports import Plan
from loyalty.runtime.observability import logger
from tests.gateway import Context, a_request
from tests.unit.services.test_adjust_balances import Api, item

REPEATS = 300
ROUNDS = 5
GOAL = 2.0


def results() -> Iterator[Result]:
    """One adjustment after the other, each of a member of its own."""
    ours, sdk = _ours(), _sdk()
    yield Result(
        name="adjustment_processor_time",
        value=round(ours / sdk, 2),
        unit="of the SDK's for one transaction",
        goal=GOAL,
        better="lower",
        detail=f"{ours * 1e6:.0f} µs from event to answer, the SDK's transaction {sdk * 1e6:.0f} µs",
    )


def _ours() -> float:
    api = Api()
    app.service.replace(api.adjust)
    path, headers = "/programs/candles/balance/increase", {"api-key": api.issued.text, "X-Klaviyo-Flow-ID": "VeYaWr"}

    def adjust(number: int) -> None:
        body = [item(email=f"customer-{number}@klaviyo-demo.com", key=f"step-{number}")]
        answer = app.lambda_handler(a_request("POST", path, body, headers=headers), Context())  # type: ignore[arg-type]
        assert answer["statusCode"] == 200, answer
        api.clock.advance(seconds=1)

    logger.setLevel(logging.WARNING)
    with redirect_stdout(StringIO()):
        return _least(adjust)


def _sdk() -> float:
    client = boto3.client(
        "dynamodb",
        region_name="eu-central-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.dynamodb", lambda request, **_: _Done(request.url))  # type: ignore[arg-type]
    plan = _plan()
    requests: Any = [write.request for write in writes_of(plan, "ledger")]
    return _least(lambda _: client.transact_write_items(TransactItems=requests))


def _plan() -> Plan:
    """What one adjustment commits."""
    plans: list[Plan] = []
    api = Api()
    commit = api.store.commit

    def noted(plan: Plan) -> None:
        plans.append(plan)
        commit(plan)

    api.store.commit = noted  # type: ignore[method-assign]
    api.send(item(key="step"))
    return plans[0]


class _Done(AWSResponse):
    """DynamoDB's answer to a transaction that went through."""

    def __init__(self, url: str) -> None:
        super().__init__(url, 200, {"content-type": "application/x-amz-json-1.0"}, None)  # type: ignore[arg-type]

    @property
    def content(self) -> bytes:
        return json.dumps({}).encode()


def _least(work: Callable[[int], object]) -> float:
    """Seconds of processor time for one piece of work, in the best of several rounds."""
    best = float("inf")
    for round_number in range(ROUNDS):
        before = time.process_time()
        for number in range(REPEATS):
            work(round_number * REPEATS + number)
        best = min(best, (time.process_time() - before) / REPEATS)
    return best
