"""Logs and metrics: fresh keys for each invocation, business facts counted once, libraries kept quiet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from loyalty.domain.errors import Transient
from loyalty.runtime.observability import Answer, Event, count, described, invocation, logger, metrics, report
from tests.deliveries import LambdaContext
from tests.logs import written


class Outcome:
    """Something happened, three times."""

    message = "something happened"
    counts: Mapping[str, int] = {"ThingsDone": 3, "ThingsRefused": 0}
    ids: Mapping[str, str | int] = {"program": "candles"}


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    """Parts of handlers that other tests call without an invocation leave their counts behind."""
    metrics.clear_metrics()


def invoke(work: Any) -> Any:
    @invocation
    def handler(event: Event, context: Any) -> Answer:
        work()
        return {}

    return handler({}, LambdaContext())  # type: ignore[arg-type]


def test_an_outcome_is_one_line_and_its_counts() -> None:
    with written() as out:
        invoke(lambda: report(Outcome()))
    (line,) = out.lines("something happened")
    assert (line["program"], line["ThingsDone"], line["correlation_id"]) == (
        "candles",
        3,
        LambdaContext().aws_request_id,
    )
    assert out.metrics == {"ThingsDone": 3}


def test_metrics_have_the_service_as_their_only_dimension() -> None:
    """One more would multiply what they cost."""
    with written() as out:
        invoke(lambda: count("ThingsDone"))
    (blob,) = [document for document in out.documents if "_aws" in document]
    (definition,) = blob["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == "Tallyhook"
    assert definition["Dimensions"] == [["service"]]
    assert blob["service"] == "tallyhook"


def test_metrics_of_an_invocation_that_fails_are_written_too() -> None:
    def work() -> None:
        count("ThingsDone", 2)
        raise RuntimeError

    with written() as out, pytest.raises(RuntimeError):
        invoke(work)
    assert out.metrics == {"ThingsDone": 2}


def test_an_invocation_that_counts_nothing_writes_no_metrics() -> None:
    with written() as out:
        invoke(lambda: count("ThingsDone", 0))
    assert "_aws" not in out.text


def test_nothing_of_one_invocation_sticks_to_the_next() -> None:
    def first() -> None:
        logger.append_keys(program="candles")
        count("ThingsDone")

    with written() as out:
        invoke(first)
        invoke(lambda: report(type("Other", (Outcome,), {"ids": {}, "counts": {}})()))
    assert "program" not in out.lines("something happened")[0]
    assert out.metrics == {"ThingsDone": 1}


def test_the_event_is_never_logged_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    with written() as out:

        @invocation
        def handler(event: Event, context: Any) -> Answer:
            return {}

        handler({"body": "sarah.mason@klaviyo-demo.com"}, LambdaContext())  # type: ignore[arg-type]
    assert "sarah" not in out.text


@pytest.mark.parametrize(
    "library", ["botocore.endpoint", "boto3.resources", "urllib3.connectionpool", "aws_lambda_powertools.tracing"]
)
def test_libraries_write_no_requests_even_at_level_debug(library: str) -> None:
    """At DEBUG botocore writes whole requests, with addresses and decrypted secrets in them."""
    with written() as out:
        logging.getLogger(library).debug("sarah.mason@klaviyo-demo.com")
    assert "sarah" not in out.text


def test_an_error_of_aws_is_described_by_its_code() -> None:
    refused = ClientError({"Error": {"Code": "Throttled", "Message": "for sarah"}}, "PutItem")
    assert described(refused) == {"error": "ClientError", "aws_code": "Throttled", "operation": "PutItem"}
    ours = Transient("later", not_stored=2)
    ours.__cause__ = refused
    assert described(ours) == {
        "error": "Transient",
        "code": "temporarily_unavailable",
        "reason": "later",
        "facts": {"not_stored": 2},
        "caused_by": "ClientError",
    }
