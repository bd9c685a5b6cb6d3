"""The pages a merchant passes through when connecting with Klaviyo, from a request to what the browser gets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http.cookies import CookieError, SimpleCookie

from aws_lambda_powertools.event_handler import Response

from loyalty.contracts.connection_requests import read_form
from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.oauth import ATTEMPT_LIFE
from loyalty.runtime import pages
from loyalty.runtime.journey_container import Journey
from loyalty.runtime.observability import report
from loyalty.services.admit_caller import Caller
from loyalty.services.connect_account import Connected, require_inclusion

COOKIE = "tallyhook_connect"


def start(journey: Journey, query: Mapping[str, str]) -> Response[str]:
    """A start link was opened: to Klaviyo, with a cookie that only the way back is told."""
    departure = journey.authorize.depart(query.get("ticket", ""))
    seconds = int(ATTEMPT_LIFE.total_seconds())
    cookie = f"{COOKIE}={departure.cookie}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax"
    return pages.redirect(departure.url, cookie)


def callback(
    journey: Journey, query: Mapping[str, str], headers: Mapping[str, str], *, until: datetime
) -> Response[str]:
    """Klaviyo sent the browser back."""
    connected = journey.authorize.arrive(query, _cookie(headers))
    report(connected)
    journey.resume(connected.program, connected.connection, until=until)
    return _success(connected)


def install(journey: Journey, body: bytes) -> Response[str]:
    """The form of an install begun at Klaviyo was filled in."""
    form = read_form(body)
    caller = Caller(form.get("key", "").strip())
    admitted = journey.admit(caller, form.get("program", "").strip(), Scope.ADMIN)
    require_inclusion(admitted.program)
    return pages.link_page(
        "Go on at Klaviyo",
        "Klaviyo will ask you to log in, if you are not, and to allow access for this program.",
        journey.authorize.start_link(admitted.program.slug),
        "Continue to Klaviyo",
    )


def _success(connected: Connected) -> Response[str]:
    connection = connected.connection
    said = [f"The loyalty program {connected.program} is connected to the Klaviyo account {connection.account_id}."]
    if connection.state is ConnectionStatus.RECONNECT_REQUIRED:
        missing = ", ".join(connection.missing_scopes)
        said.append(f"Some permissions were not granted: {missing}. Connect again and allow all of them.")
    if connection.webhooks:
        said.append("Reviews that customers submit from now on earn points.")
    elif connection.reviews_detected:
        said.append("Klaviyo did not take our webhook for reviews; the connection's status says why.")
    else:
        said.append("Klaviyo Reviews was not found in this account; it is looked for again every hour.")
    said.append("You can close this page.")
    return pages.page("Connected", " ".join(said))


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
