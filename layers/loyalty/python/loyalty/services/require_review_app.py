"""Whether a review rule can do what it says: the review app it chooses has to be within reach (R15, R100, R101)."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.domain.errors import StateForbids
from loyalty.domain.program import Program
from loyalty.domain.review_rule import ReviewApp, ReviewRule


@dataclass(frozen=True, slots=True)
class Need:
    """Something a rule needs: whether it is there, in the merchant's words, and what to call it."""

    code: str
    refused_as: str
    met: bool
    text: str


def needs_of(program: Program, rule: ReviewRule) -> tuple[Need, ...]:
    """What the rule needs, in the order in which a merchant has to see to it."""
    if rule.app is not ReviewApp.KLAVIYO_REVIEWS:
        return ()
    connection = program.connection
    is_connected = connection is not None and connection.is_usable
    return (
        Need(
            "klaviyo_connected",
            "klaviyo_not_connected",
            is_connected,
            "Connect this program to Klaviyo, so that it is told of reviews.",
        ),
        Need(
            "klaviyo_oauth",
            "oauth_required",
            is_connected and connection is not None and not connection.needs_upgrade,
            "Connect by OAuth: with a private API key Klaviyo tells nobody of reviews.",
        ),
    )


def require_review_app(program: Program, rule: ReviewRule, connect_url: str) -> None:
    """Let a rule be switched on only where it can work.

    Raises:
        StateForbids: ``klaviyo_not_connected`` or ``oauth_required``, with the link that starts to connect.
    """
    for need in needs_of(program, rule) if rule.enabled else ():
        if not need.met:
            raise StateForbids(
                f"{need.text} POST to connect_url gives the link.", code=need.refused_as, connect_url=connect_url
            )
