"""The OAuth pages over HTTP: /oauth/authorize, /oauth/token, /oauth/revoke."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from local.fake_klaviyo.accounts import App
from local.fake_klaviyo.errors import ApiError
from local.fake_klaviyo.exchange import Answer, JsonObject, Request
from local.fake_klaviyo.oauth import OAuthError
from local.fake_klaviyo.services import Services

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_REFUSALS = {
    "deny": ("access_denied", "The user denied the request."),
    "role_missing": ("access_denied", "Only an Owner, Admin or Manager can authorize an app."),
}


def authorize(services: Services, request: Request) -> Answer:
    """The consent page, without a person: sends the browser back at once, as the switches decide.

    A wrong client or redirect URI is answered here, never by a redirect; all other trouble goes to the redirect URI
    as `error`, `error_description` and `state`.
    """
    given = dict(request.query)
    app = services.world.apps.get(given.get("client_id", ""))
    if app is None:
        return _page(400, "Unknown client_id.")
    redirect_uri = given.get("redirect_uri", "")
    if redirect_uri not in app.redirect_uris:
        return _page(400, "The redirect_uri is not in the app's list.")
    problem = _authorize_problem(given)
    if problem is None:
        problem = _REFUSALS.get(services.switches.authorize_decision)
    state = {"state": given["state"]} if given.get("state") else {}
    if problem is not None:
        return _redirect(redirect_uri, {"error": problem[0], "error_description": problem[1], **state})
    scopes = frozenset(given["scope"].split())
    with services.world.lock:
        code = services.oauth.issue_code(app, scopes, redirect_uri, given["code_challenge"])
    return _redirect(redirect_uri, {"code": code, **state})


def token(services: Services, request: Request) -> Answer:
    """Exchange a code or refresh; errors are JSON with `error` and `error_description`."""

    def grant(app: App, form: JsonObject) -> Answer:
        grants: dict[str, Callable[[App, JsonObject], JsonObject]] = {
            "authorization_code": services.oauth.exchange_code,
            "refresh_token": services.oauth.refresh,
        }
        chosen = grants.get(form.get("grant_type", ""))
        if chosen is None:
            raise OAuthError("invalid_grant_type", "Unknown grant_type, or the body is not form-encoded.")
        return _json(200, chosen(app, form))

    return _with_client(services, request, grant)


def revoke(services: Services, request: Request) -> Answer:
    """End a grant; 200 with an empty body."""

    def end(app: App, form: JsonObject) -> Answer:
        services.oauth.revoke(app, form.get("token", ""))
        return Answer(200)

    return _with_client(services, request, end)


def _with_client(services: Services, request: Request, act: Callable[[App, JsonObject], Answer]) -> Answer:
    try:
        with services.world.lock:
            return act(_client(services, request), _form(request))
    except OAuthError as error:
        document = {"error": error.error, "error_description": error.description}
        return _json(error.status, document)
    except ApiError as error:
        return error.answer()


def _client(services: Services, request: Request) -> App:
    scheme, _, credentials = request.header("authorization").partition(" ")
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client_id, _, secret = decoded.partition(":")
    app = services.world.apps.get(client_id)
    if scheme != "Basic" or app is None or app.client_secret != secret:
        raise OAuthError("invalid_client", "The client id or secret is wrong, or not sent as Basic.", 401)
    return app


def _form(request: Request) -> JsonObject:
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace")))


def _authorize_problem(given: dict[str, str]) -> tuple[str, str] | None:
    if given.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code."
    for name in ("scope", "state", "code_challenge", "code_challenge_method"):
        if not given.get(name):
            return "invalid_request", f"{name} is required."
    if given["code_challenge_method"] != "S256" or _CHALLENGE.fullmatch(given["code_challenge"]) is None:
        return "invalid_request", "PKCE with code_challenge_method S256 is required."
    return None


def _redirect(uri: str, query: dict[str, str]) -> Answer:
    separator = "&" if "?" in uri else "?"
    return Answer(302, {"Location": f"{uri}{separator}{urlencode(query)}"})


def _page(status: int, text: str) -> Answer:
    body = f"<!doctype html><title>Klaviyo</title><p>{text}</p>"
    return Answer(status, {"Content-Type": "text/html; charset=utf-8"}, body.encode())


def _json(status: int, document: JsonObject) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Answer(status, headers, json.dumps(document).encode())
