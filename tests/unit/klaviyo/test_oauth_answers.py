"""What the token endpoint's refusals mean: only a grant that is over ends a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from typing_extensions import override

from loyalty.adapters.klaviyo.connections import new_session
from loyalty.adapters.klaviyo.oauth import KlaviyoOAuth
from loyalty.domain.errors import LoyaltyError, Misconfigured
from loyalty.domain.klaviyo_errors import GrantRefused, KlaviyoIncompatible, KlaviyoUnavailable
from tests.fakes.memory_oauth import MemoryApp


class Answering(BaseAdapter):
    """Gives every request the same answer."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self.status, self.body = status, body

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        response = requests.Response()
        response.request, response.url, response.status_code = request, request.url or "", self.status
        response._content = self.body.encode()
        return response

    @override
    def close(self) -> None:
        """There is nothing to close."""


def oauth(status: int, body: str) -> KlaviyoOAuth:
    return KlaviyoOAuth(new_session(Answering(status, body)), "https://klaviyo.test", MemoryApp("id", "client-secret"))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_grant", GrantRefused),
        (400, "invalid_grant_type", GrantRefused),
        (400, "invalid_request", KlaviyoIncompatible),
        (400, "unsupported_grant_type", KlaviyoIncompatible),
        (400, "temporarily_unavailable", KlaviyoIncompatible),
        (400, "", KlaviyoUnavailable),
        (400, "invalid_client", Misconfigured),
        (401, "invalid_client", Misconfigured),
        (403, "", KlaviyoUnavailable),
        (429, "", KlaviyoUnavailable),
        (503, "", KlaviyoUnavailable),
    ],
)
def test_a_refresh_is_refused_for_good_only_by_the_words_for_it(
    status: int, code: str, kind: type[LoyaltyError]
) -> None:
    """R16; docs/klaviyo.md 1: anything else must not disconnect a merchant."""
    body = json.dumps({"error": code, "error_description": "tok-3n"}) if code else "<html>no</html>"
    with pytest.raises(LoyaltyError) as raised:
        oauth(status, body).refresh("refresh-token")
    assert type(raised.value) is kind
    assert not [secret for secret in ("refresh-token", "client-secret", "tok-3n") if secret in repr(vars(raised.value))]


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_request"])
def test_a_code_that_is_not_taken_is_the_attempts_trouble(code: str) -> None:
    """A late, spent or foreign code, or a proof key that does not fit: the merchant begins anew."""
    with pytest.raises(GrantRefused):
        oauth(400, json.dumps({"error": code})).exchange(code="code", verifier="verifier", redirect_uri="https://x/y")
