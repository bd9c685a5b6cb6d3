"""The processor time of taking in a delivery of 1,000 reviews: verified, read, and handed to the queue.

Ours is everything between the gateway's event and its answer, the calls to SQS included up to where bytes would leave.
The floor is what nobody can leave out: the HMAC over the same bytes, and JSON parsing of the event and of the body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from benchmarks.result import Result
from functions.review_webhook import app
from loyalty.adapters.aws import BY_THE_HUNDRED
from loyalty.adapters.sqs import SqsQueue
from loyalty.runtime.observability import logger
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.recent_programs import RecentPrograms
from tests.deliveries import SECRET, TIMESTAMP, a_body, a_listening_program, a_proxy_event, a_review_event, signed
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_oauth import MemoryNotes
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_vault import MemoryVault
from tests.gateway import Context

REVIEWS = 1000
ROUNDS = 7
GOAL_MILLISECONDS = 0.3
GOAL_CALLS = 100
QUEUE = "https://sqs.eu-central-1.amazonaws.com/000000000000/reviews"


def results() -> Iterator[Result]:
    """One delivery of as many events as Klaviyo documents, each with a text of some length."""
    body = a_body(*[a_review_event(number, review_content="Burns for hours. " * 12) for number in range(REVIEWS)])
    calls: list[str] = []
    queue, programs = _queue(calls), _Counted()
    recent = RecentPrograms(programs, programs.vault, FixedClock())
    app.intake.replace(IntakeReviews(recent, queue, MemoryNotes(), FixedClock()))
    event = json.dumps(a_proxy_event("candles", signed(body), body)).encode()

    def deliver() -> None:
        answer = app.lambda_handler(json.loads(event), Context())  # type: ignore[arg-type]
        assert answer["statusCode"] == 202, answer

    logger.setLevel(logging.WARNING)
    with redirect_stdout(StringIO()):
        ours = _least(deliver)
    floor = _least(lambda: _floor(event))
    app.intake.replace(None)
    each = (ours - floor) / REVIEWS * 1000
    yield Result(
        name="review_intake_processor_time",
        value=round(each, 3),
        unit="ms a review on top of the floor",
        goal=GOAL_MILLISECONDS,
        better="lower",
        detail=(
            f"a delivery of {REVIEWS} reviews, {len(body) // 1024} KiB: {ours * 1000:.0f} ms, {ours / floor:.1f} times "
            f"the floor of {floor * 1000:.1f} ms (HMAC-SHA-256 and JSON parsing of the same bytes)"
        ),
    )
    yield Result(
        name="review_intake_queue_calls",
        value=len(calls) / ROUNDS,
        unit="calls to SQS a delivery",
        goal=GOAL_CALLS,
        better="lower",
        detail=f"{REVIEWS} messages, ten a call; {programs.reads} reads of the program in {ROUNDS} deliveries at once",
    )


class _Counted(MemoryPrograms):
    """One listening program, its reads counted."""

    def __init__(self) -> None:
        self.vault = MemoryVault()
        super().__init__(a_listening_program(self.vault))
        self.reads = 0

    def load(self, slug: Any) -> Any:
        self.reads += 1
        return super().load(slug)


def _floor(event: bytes) -> None:
    text = json.loads(event)["body"]
    body = text.encode()
    hmac.new(SECRET.encode(), body + TIMESTAMP.encode(), hashlib.sha256).hexdigest()
    json.loads(body)


def _queue(calls: list[str]) -> SqsQueue:
    make: Any = boto3.client
    client = make(
        "sqs",
        region_name="eu-central-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
        config=BY_THE_HUNDRED,
    )

    def answered(request: Any, **_: Any) -> AWSResponse:
        calls.append(request.url)
        return _Stored(request.url)

    client.meta.events.register("before-send.sqs", answered)
    return SqsQueue(client, QUEUE, FixedClock(), SeededRandomness())


class _Stored(AWSResponse):
    """SQS's answer to a batch that it stored whole."""

    def __init__(self, url: str) -> None:
        super().__init__(url, 200, {"content-type": "application/x-amz-json-1.0"}, None)  # type: ignore[arg-type]

    @property
    def content(self) -> bytes:
        return b'{"Successful": [], "Failed": []}'


def _least(work: Callable[[], object]) -> float:
    """Seconds of processor time for one piece of work, the least of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best
