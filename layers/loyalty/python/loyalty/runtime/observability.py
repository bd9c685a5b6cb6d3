"""Logs, metrics and traces: structured lines that carry ids and never payloads, and metrics named after business facts.

Traces: ``Tracing: Active`` in the template makes Lambda record invocations, the SDK passes the trace on to SQS, and the
logger writes ``xray_trace_id`` into each line. The gateway records nothing: its traces hold URLs. Powertools' Tracer
would add segments of our own, but cannot even be constructed, switched off or not, without the X-Ray SDK, a package
that nears the end of its support and is not in our layer. So no code here depends on X-Ray.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from loyalty.domain.errors import Conflict, LoyaltyError, Rejected, Transient

PRODUCT = "Tallyhook"

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", PRODUCT.lower()))
metrics = Metrics(
    service=os.environ.get("POWERTOOLS_SERVICE_NAME", PRODUCT.lower()),
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", PRODUCT),
)

# At level DEBUG these write whole requests and events, with addresses and secrets in them.
for library in ("aws_lambda_powertools", "boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(library).setLevel(logging.INFO)

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

Event = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Answer]


class Outcome(Protocol):
    """What a use case tells about itself: a sentence, business facts to count, and ids to find it by."""

    @property
    def message(self) -> str:
        """What happened, in the same words each time."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Metric name to how often or how much."""

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Ids for the log line; never personal data."""


def invocation(handler: Handler) -> Handler:
    """Give every invocation fresh log keys, and write its metrics at its end, whatever that end is."""

    @logger.inject_lambda_context(clear_state=True, log_event=False)
    @functools.wraps(handler)
    def run(event: Event, context: LambdaContext) -> Answer:
        logger.set_correlation_id(context.aws_request_id)
        try:
            return handler(event, context)
        finally:
            if metrics.provider.metric_set:
                metrics.flush_metrics()

    return run


def report(outcome: Outcome) -> None:
    """Write an outcome to the log and count its business facts."""
    logger.info(outcome.message, extra={**outcome.ids, **outcome.counts})
    for name, amount in outcome.counts.items():
        count(name, amount)


def count(name: str, amount: int = 1) -> None:
    """Count a business fact."""
    if amount:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=amount)


def report_error(message: str, error: Exception) -> None:
    """Log an error: briefly if it is the caller's fault or passes, as an error with its origin if somebody must act."""
    if isinstance(error, Rejected | Conflict | Transient):
        logger.warning(message, extra=described(error))
    else:
        logger.error(message, extra={**described(error), "stack": origin(error)})


def described(error: BaseException) -> dict[str, Any]:
    """What may be said of an error. The words of one that is not ours may quote a payload, so they are left out."""
    facts: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, LoyaltyError):
        facts |= {"code": error.code, "reason": error.message, "facts": dict(error.facts)}
    elif isinstance(error, ClientError):
        facts |= {"aws_code": error.response.get("Error", {}).get("Code", ""), "operation": error.operation_name}
    if error.__cause__ is not None:
        facts["caused_by"] = type(error.__cause__).__name__
    return facts


def origin(error: BaseException) -> list[str]:
    """Where an error came from, innermost last: file, line and function, without words or values."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def follow(given: str | None, otherwise: str) -> str:
    """Set the correlation id to a given one, if it is one, and answer what was set."""
    chosen = given if given and _GIVEN_ID.fullmatch(given) else otherwise
    logger.set_correlation_id(chosen)
    return chosen
