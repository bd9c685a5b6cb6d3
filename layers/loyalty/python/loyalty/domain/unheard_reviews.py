"""Why nothing is known of a review: what stands between the review app and us, in a fixed order (R113-R118). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loyalty.domain.connection import Connection, ConnectionStatus
from loyalty.domain.moments import utc_text
from loyalty.domain.program import Program
from loyalty.domain.review_checks import Refused
from loyalty.domain.review_rule import ReviewApp
from loyalty.domain.reviews import ReviewSource


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition for hearing of reviews. ``holds`` is None where it cannot be seen from here."""

    why: Refused
    holds: bool | None


def conditions(program: Program, last_delivery_at: datetime | None) -> list[Condition]:
    """Everything that has to be so for a review to be heard of; the first one that does not hold explains silence.

    ``last_delivery_at`` is when Klaviyo delivered last, whichever connection that was.
    """
    match program.review_rule.app:
        case ReviewApp.KLAVIYO_FLOW:
            return [_never_heard(_LOOK_AT_FLOW)]
        case ReviewApp.JUDGEME:
            feed = program.feed_of(ReviewSource.JUDGEME)
            is_on = feed is not None and feed.is_on
            return [Condition(_REVIEW_APP_OFF, holds=is_on), _never_heard(_LOOK_AT_JUDGEME)]
        case _:
            return _of_klaviyo(program.connection, last_delivery_at)


def _of_klaviyo(connection: Connection | None, last_delivery_at: datetime | None) -> list[Condition]:
    if connection is None or connection.status is ConnectionStatus.DISCONNECTED:
        return [Condition(_NOT_CONNECTED, holds=False)]
    since = utc_text(connection.connected_at)
    if last_delivery_at is not None and last_delivery_at < connection.connected_at:
        last_delivery_at = None
    return [
        Condition(_NOT_CONNECTED, holds=True),
        Condition(_ACCESS_LOST, holds=connection.status is not ConnectionStatus.ACCESS_LOST),
        Condition(_missing_scopes(connection), holds=not connection.missing_scopes),
        Condition(_NOT_ALLOWED, holds=connection.webhooks_allowed),
        Condition(_NOT_INSTALLED, holds=connection.reviews_detected),
        Condition(_webhook_missing(connection), holds=bool(connection.webhooks)),
        Condition(_WEBHOOK_DISABLED, holds=any(webhook.enabled for webhook in connection.webhooks)),
        Condition(_nothing_received(since), holds=last_delivery_at is not None),
        Condition(_before_connection(since), holds=None),
        _never_heard(_ask_for_it(last_delivery_at)),
    ]


def first_failing(found: list[Condition]) -> Refused:
    """The first condition that does not hold; where all do that can be seen, what may be besides."""
    broken = [condition for condition in found if condition.holds is False]
    return broken[0].why if broken else found[-1].why


_NOT_CONNECTED = Refused(
    "not_connected",
    "The program is not connected to Klaviyo, so nobody tells it of reviews.",
    "Connect the program to Klaviyo; reviews written from then on earn.",
)
_ACCESS_LOST = Refused(
    "access_lost",
    "Klaviyo does not let this program in any more: the app was removed or its access was revoked.",
    "Reconnect the program to Klaviyo.",
)
_NOT_ALLOWED = Refused(
    "webhooks_not_allowed",
    "Klaviyo does not let this connection have webhooks, so it is not told of reviews.",
    "Connect by OAuth instead of a private API key, or send reviews by a flow's webhook.",
)
_NOT_INSTALLED = Refused(
    "not_installed",
    "Klaviyo Reviews is not installed or not active in the connected account.",
    "Install and activate Klaviyo Reviews, then connect again so that it is found.",
)
_WEBHOOK_DISABLED = Refused(
    "webhook_disabled",
    "The webhook for reviews is switched off in Klaviyo.",
    "Switch it on in Klaviyo, or reconnect; it is also switched on again within the hour.",
)
_REVIEW_APP_OFF = Refused(
    "review_app_off",
    "Judge.me is not switched on for this program, so what it delivers is turned away.",
    "Switch it on with the secret that it signs with: PUT .../review-apps/judgeme.",
)
_LOOK_AT_FLOW = "Look in Klaviyo whether the flow's webhook ran for this customer, and how it went."
_LOOK_AT_JUDGEME = "Look in Judge.me whether its webhook for new reviews is on and leads to this program."


def _missing_scopes(connection: Connection) -> Refused:
    return Refused(
        "missing_scopes",
        f"The connection lacks permissions: {', '.join(connection.missing_scopes) or 'none'}.",
        "Reconnect the program to Klaviyo and agree to all permissions.",
    )


def _webhook_missing(connection: Connection) -> Refused:
    problem = f" Klaviyo said: {connection.webhook_problem}" if connection.webhook_problem else ""
    return Refused(
        "webhook_missing",
        f"There is no webhook for reviews in the connected account.{problem}",
        "Reconnect the program to Klaviyo, which registers the webhook anew.",
    )


def _nothing_received(since: str) -> Refused:
    return Refused(
        "nothing_received",
        f"Klaviyo has delivered no review since the program was connected at {since}.",
        "Submit a test review in the store. If none arrives, check that the review widget is on the store's pages and "
        "that a flow asks for reviews.",
    )


def _before_connection(since: str) -> Refused:
    return Refused(
        "before_connection",
        f"Klaviyo tells of no review that was written before the program was connected at {since}.",
        "Nothing is paid retroactively; to pay older reviews all the same, import them.",
    )


def _never_heard(fix: str) -> Condition:
    return Condition(Refused("never_heard", "Nobody has told this program of such a review.", fix), holds=None)


def _ask_for_it(last_delivery_at: datetime | None) -> str:
    last = f" Klaviyo's last delivery came at {utc_text(last_delivery_at)}." if last_delivery_at else ""
    return f"Check the review's id, and wait some minutes if it is new.{last}"
