"""What the HTTP API answers when it is the gateway that answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from local.stack import Stack
from tests.architecture.template import resources


@pytest.fixture
def api_takes_no_more_requests(stack: Stack) -> Iterator[None]:
    """The stage's throttle lets nothing through."""

    def limit(burst: int) -> None:
        change = {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": str(burst)}
        api = stack.physical_id("Api")
        stack.client("apigateway").update_stage(restApiId=api, stageName="v1", patchOperations=[change])

    (settings,) = resources("AWS::Serverless::Api")["Api"]["MethodSettings"]
    limit(0)
    yield
    limit(settings["ThrottlingBurstLimit"])


@pytest.mark.usefixtures("api_takes_no_more_requests")
def test_a_throttled_request_is_answered_with_a_503_that_says_when_to_come_back(stack: Stack) -> None:
    """Never with the gateway's own words, of which Klaviyo's flow webhooks take some for the end."""
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
