"""Pages for people: small, without scripts, readable by everybody and everything, and without any detail of errors.

No page is cached, framed, or named to another site as the place a visitor came from.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from loyalty.domain.errors import LoyaltyError, Misconfigured, Transient
from loyalty.runtime.observability import report_error

_STYLE = (
    "body{font:1.1rem/1.6 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem;color:#1c1c1c;"
    "background:#fff}h1{font-size:1.6rem;line-height:1.3}label{display:block;margin:1rem 0 .3rem}"
    "input,button,a.button{font:inherit;padding:.6rem .8rem;border:1px solid #5a5a5a;border-radius:.3rem}"
    "input{width:100%;box-sizing:border-box}button,a.button{background:#1c1c1c;color:#fff;text-decoration:none;"
    "display:inline-block;margin-top:1.2rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=31536000",
    "Cache-Control": "no-store",
}

AGAIN = "Ask for a new link and open it in this browser."

_TEXTS: dict[str, tuple[HTTPStatus, str, str]] = {
    "incomplete_callback": (
        HTTPStatus.BAD_REQUEST,
        "Something is missing",
        f"Klaviyo's answer did not arrive completely. {AGAIN}",
    ),
    "link_expired": (
        HTTPStatus.NOT_FOUND,
        "This link does not work any more",
        "Start links work for an hour. Ask for a new one.",
    ),
    "unknown_attempt": (
        HTTPStatus.BAD_REQUEST,
        "We do not know this attempt",
        f"It was not begun here, or long ago. {AGAIN}",
    ),
    "attempt_expired": (
        HTTPStatus.BAD_REQUEST,
        "This took too long",
        f"For your safety an attempt ends after half an hour. {AGAIN}",
    ),
    "attempt_used": (
        HTTPStatus.CONFLICT,
        "This was done already",
        "Each attempt works once. If the connection does not show as connected, ask for a new link.",
    ),
    "another_browser": (
        HTTPStatus.FORBIDDEN,
        "This was begun in another browser",
        f"An attempt has to end in the browser it was begun in, with cookies allowed. {AGAIN}",
    ),
    "authorization_denied": (
        HTTPStatus.FORBIDDEN,
        "Access was not granted",
        (
            "Klaviyo reports that access was refused. Nothing was changed. To connect, begin again and choose "
            "Allow; you need the role Owner, Admin or Manager in Klaviyo."
        ),
    ),
    "role_missing": (
        HTTPStatus.FORBIDDEN,
        "Your role in Klaviyo is not enough",
        (
            "Only somebody with the role Owner, Admin or Manager in Klaviyo can connect an app. Nothing was changed. "
            "Ask one of them to open the link."
        ),
    ),
    "grant_refused": (
        HTTPStatus.BAD_REQUEST,
        "Klaviyo did not confirm this attempt",
        f"Its confirmation works once and only for a few minutes. {AGAIN}",
    ),
    "another_account_connected": (
        HTTPStatus.CONFLICT,
        "Another Klaviyo account is connected",
        "This program is connected to another Klaviyo account, which stays as it is. Disconnect that one first.",
    ),
    "account_of_another_program": (
        HTTPStatus.CONFLICT,
        "This Klaviyo account belongs to another program",
        "A Klaviyo account can be connected to one program only. Disconnect it there first.",
    ),
    "klaviyo_not_included": (
        HTTPStatus.FORBIDDEN,
        "Your plan does not include Klaviyo",
        "Nothing was changed. Ask who runs your loyalty program.",
    ),
    "invalid_api_key": (
        HTTPStatus.UNAUTHORIZED,
        "This key does not fit",
        "Check the program and the key, go back and try again.",
    ),
}
_LATER = (
    HTTPStatus.SERVICE_UNAVAILABLE,
    "This does not work just now",
    f"Nothing was changed. Wait a minute, then begin again. {AGAIN}",
)
_NOT_POSSIBLE = (HTTPStatus.BAD_REQUEST, "This could not be done", f"Nothing was changed. {AGAIN}")
_KEY_TROUBLE = frozenset(
    {"missing_api_key", "unknown_program", "key_of_another_program", "missing_scope", "operator_only"}
)


def page(title: str, text: str, *, status: HTTPStatus = HTTPStatus.OK, inner: str = "") -> Response[str]:
    """A page that says something; ``inner`` is markup of ours that follows the text."""
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Tallyhook</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{inner}</main></body></html>"
    )
    return Response(int(status), "text/html; charset=utf-8", body, dict(_HEADERS))


def redirect(url: str, cookie: str) -> Response[str]:
    """Send the browser elsewhere with a cookie; the address it goes to hears nothing of where it came from."""
    return Response(302, "text/plain; charset=utf-8", "", {**_HEADERS, "Location": url, "Set-Cookie": cookie})


def trouble(error: Exception) -> Response[str]:
    """The page for an exception, which is logged. None of its words are shown."""
    report_error("page not served", error)
    code = error.code if isinstance(error, LoyaltyError) else ""
    if code in _KEY_TROUBLE:
        code = "invalid_api_key"
    general = _NOT_POSSIBLE
    if isinstance(error, Transient | Misconfigured) or not isinstance(error, LoyaltyError):
        general = _LATER
    status, title, text = _TEXTS.get(code, general)
    return page(title, text, status=status)


def install_form() -> Response[str]:
    """Where an install that was begun at Klaviyo asks which program it is for, and who is asking."""
    form = (
        '<form method="post"><label for="program">Program</label>'
        '<input id="program" name="program" required autocomplete="off">'
        '<label for="key">Your API key</label>'
        '<input id="key" name="key" type="password" required autocomplete="off">'
        '<button type="submit">Go on</button></form>'
    )
    return page("Connect Klaviyo", "Which loyalty program do you want to connect with Klaviyo?", inner=form)


def link_page(title: str, text: str, url: str, label: str) -> Response[str]:
    """A page whose point is one link."""
    return page(title, text, inner=f'<a class="button" href="{escape(url, quote=True)}">{escape(label)}</a>')
