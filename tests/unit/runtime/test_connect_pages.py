"""The pages of connecting, through the real handler: what a person sees, and what a browser is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from functions.oauth_callback import app
from loyalty.runtime.connect_pages import COOKIE
from loyalty.runtime.journey_container import Journey
from loyalty.runtime.pages import page
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.resume_sending import Resume
from tests.connection_world import CANDLES, Office, query_of
from tests.deliveries import LambdaContext
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.logs import written

OPERATOR_KEY = "operator-key-for-tests"


class Operator:
    """Knows one key."""

    def opens(self, presented: str) -> bool:
        return presented == OPERATOR_KEY


class Context(LambdaContext):
    """A context with time left."""

    def get_remaining_time_in_millis(self) -> int:
        return 28_000


class Visit:
    """A browser at the handler."""

    def __init__(self) -> None:
        self.office = Office()
        admit = AdmitCaller(MemoryKeys(), self.office.programs, MemoryCounter(), self.office.clock, operator=Operator())
        resume = Resume(self.office.requeue, self.office.wake, self.office.clock)
        app.journey.replace(Journey(admit, self.office.authorize, resume))

    def gets(self, path: str, query: dict[str, str] | None = None, cookie: str = "") -> dict[str, Any]:
        return self._asks("GET", path, query, cookie, None)

    def posts(self, path: str, body: str) -> dict[str, Any]:
        return self._asks("POST", path, None, "", body)

    def departs(self) -> tuple[dict[str, str], str]:
        """Through the start link to Klaviyo's answer; its query, and the cookie."""
        start = self.gets("/klaviyo/oauth/start", query_of(self.office.authorize.start_link(CANDLES)))
        assert start["statusCode"] == 302
        return self.office.asks_klaviyo(header(start, "Location")), header(start, "Set-Cookie").split(";")[0]

    def _asks(
        self, method: str, path: str, query: dict[str, str] | None, cookie: str, body: str | None
    ) -> dict[str, Any]:
        event = {
            "resource": path,
            "path": path,
            "httpMethod": method,
            "headers": {"Cookie": cookie} if cookie else {},
            "queryStringParameters": query,
            "requestContext": {"requestId": "request-1", "path": f"/v1{path}", "stage": "v1"},
            "body": body,
            "isBase64Encoded": False,
        }
        return app.lambda_handler(event, Context())  # type: ignore[arg-type]


def header(answer: dict[str, Any], name: str) -> str:
    return str(answer["multiValueHeaders"][name][0])


@pytest.fixture
def visit() -> Iterator[Visit]:
    yield Visit()
    app.journey.replace(None)


def test_the_start_link_sets_a_cookie_and_leads_to_klaviyo(visit: Visit) -> None:
    """R1."""
    start = visit.gets("/klaviyo/oauth/start", query_of(visit.office.authorize.start_link(CANDLES)))
    assert start["statusCode"] == 302
    assert "/oauth/authorize?" in header(start, "Location")
    name, _, rest = header(start, "Set-Cookie").partition("=")
    attributes = {part.strip() for part in rest.split(";")[1:]}
    assert name == COOKIE
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1800"} == attributes


def test_a_person_is_told_that_it_worked(visit: Visit) -> None:
    query, cookie = visit.departs()
    answer = visit.gets("/klaviyo/oauth/callback", query, cookie)
    assert answer["statusCode"] == 200
    assert "<h1>Connected</h1>" in answer["body"]
    assert "AbC123" in answer["body"]
    assert visit.office.connection().account_id == "AbC123"


PAGES = {
    "attempt_used": ({}, 409, "done already"),
    "another_browser": ({"cookie": "tallyhook_connect=x"}, 403, "another browser"),
    "unknown_attempt": ({"state": "x"}, 400, "do not know"),
    "incomplete_callback": ({"code": ""}, 400, "missing"),
    "attempt_expired": ({"wait": "1801"}, 400, "too long"),
}


@pytest.mark.parametrize(("change", "status", "said"), PAGES.values(), ids=PAGES.keys())
def test_a_person_is_told_why_it_did_not_work(visit: Visit, change: dict[str, str], status: int, said: str) -> None:
    query, cookie = visit.departs()
    if not change:
        visit.gets("/klaviyo/oauth/callback", query, cookie)
    visit.office.clock.sleep(float(change.pop("wait", "0")))
    cookie = change.pop("cookie", cookie)
    answer = visit.gets("/klaviyo/oauth/callback", {**query, **change}, cookie)
    assert (answer["statusCode"], said in answer["body"]) == (status, True), answer["body"]


@pytest.mark.parametrize(("decision", "said"), [("deny", "was not granted"), ("role_missing", "role in Klaviyo")])
def test_refusals_at_klaviyo_name_the_three_roles(visit: Visit, decision: str, said: str) -> None:
    """R3, R4."""
    visit.office.account.fake.services.switches.authorize_decision = decision  # type: ignore[assignment]
    query, cookie = visit.departs()
    answer = visit.gets("/klaviyo/oauth/callback", query, cookie)
    assert (answer["statusCode"], said in answer["body"]) == (403, True)
    assert all(role in answer["body"] for role in ("Owner", "Admin", "Manager"))


def test_klaviyos_trouble_and_ours_ask_for_patience(visit: Visit) -> None:
    query, cookie = visit.departs()
    visit.office.account.goes_wrong(operation="get_accounts", kind="status", status=500)
    answer = visit.gets("/klaviyo/oauth/callback", query, cookie)
    assert (answer["statusCode"], "just now" in answer["body"]) == (503, True)


@pytest.mark.parametrize("path", ["/klaviyo/oauth/callback", "/klaviyo/oauth/start", "/klaviyo/oauth/install"])
def test_every_page_is_closed_to_scripts_frames_and_curious_neighbours(visit: Visit, path: str) -> None:
    answer = visit.gets(path, {"ticket": "<script>", "state": "<script>", "code": "<script>"})
    policy = header(answer, "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert header(answer, "Referrer-Policy") == "no-referrer"
    assert header(answer, "Cache-Control") == "no-store"
    assert header(answer, "Content-Type") == "text/html; charset=utf-8"
    assert "<script>" not in answer["body"]
    assert '<html lang="en">' in answer["body"]


def test_what_a_page_says_is_escaped() -> None:
    assert "<b>" not in str(page("<b>", "<b>").body)


def test_no_page_and_no_log_line_holds_a_secret(visit: Visit) -> None:
    with written() as log:
        query, cookie = visit.departs()
        pages = [visit.gets("/klaviyo/oauth/callback", query, cookie)["body"] for _ in range(2)]
        pages.append(visit.gets("/klaviyo/oauth/callback", {**query, "state": "x"}, cookie)["body"])
    (install,) = visit.office.account.fake.services.oauth.installs
    secrets = [query["code"], query["state"], cookie.split("=")[1], *install.access_tokens, str(install.refresh_token)]
    secrets.append(visit.office.account.app.client_secret)
    assert log.text
    assert not [secret for secret in secrets if secret in log.text + json.dumps(pages)]


def test_an_install_from_klaviyos_side_asks_who_it_is_and_goes_on(visit: Visit) -> None:
    """docs/klaviyo.md 1: a visitor of the listing is logged in by us, then sent on."""
    form = visit.gets("/klaviyo/oauth/install")
    assert form["body"].count("<label for=") == 2
    wrong = visit.posts("/klaviyo/oauth/install", "program=candles&key=wrong")
    unknown = visit.posts("/klaviyo/oauth/install", f"program=nobody&key={OPERATOR_KEY}")
    right = visit.posts("/klaviyo/oauth/install", f"program=candles&key={OPERATOR_KEY}")
    assert (wrong["statusCode"], unknown["statusCode"], right["statusCode"]) == (401, 401, 200)
    link = right["body"].split('href="')[1].split('"')[0]
    assert visit.gets("/klaviyo/oauth/start", query_of(link))["statusCode"] == 302
    assert OPERATOR_KEY not in right["body"]


def test_an_install_for_a_program_whose_plan_lacks_klaviyo_ends_with_words(visit: Visit) -> None:
    """R24."""
    programs = visit.office.programs.programs
    programs[CANDLES] = replace(programs[CANDLES], klaviyo_included=False)
    answer = visit.posts("/klaviyo/oauth/install", f"program=candles&key={OPERATOR_KEY}")
    assert (answer["statusCode"], "Your plan does not include Klaviyo" in answer["body"]) == (403, True)
