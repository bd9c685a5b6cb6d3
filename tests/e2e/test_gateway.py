"""What the HTTP API answers when it is the gateway that answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from local.stack import Stack


@pytest.fixture
def webhook_is_out_of_capacity(stack: Stack) -> Iterator[None]:
    """No instance of review_webhook may run."""
    client, name = stack.client("lambda"), stack.physical_id("ReviewWebhookFunction")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    yield
    client.delete_function_concurrency(FunctionName=name)


@pytest.mark.usefixtures("webhook_is_out_of_capacity")
def test_a_function_that_cannot_run_is_answered_with_a_503_that_says_when_to_come_back(stack: Stack) -> None:
    """Never with a 504, after which Klaviyo's flow webhooks give up for good."""
    url = f"{stack.description.api_url}/webhooks/klaviyo/{stack.description.program}"
    answer = requests.post(url, data=b"{}", timeout=30)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unavailable"


def test_a_path_that_does_not_exist_is_answered_with_404(stack: Stack) -> None:
    answer = requests.get(f"{stack.description.api_url}/nowhere", timeout=30)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
