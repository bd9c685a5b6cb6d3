"""Sample events, which have Klaviyo know a program's metrics: what is asked for, and what is answered (R153)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from loyalty.contracts.forms import EmailAddress, Form, Refused, Told

MOST_BYTES = 10_000

_DROPPED = frozenset({"example.com", "example.net", "example.org", "test.com"})
"""Domains whose events Klaviyo accepts and then drops (docs/klaviyo.md 3)."""


def _recorded(email: str) -> str:
    if email.rpartition("@")[2] in _DROPPED:
        raise Refused("dropped_by_klaviyo", "Klaviyo drops events of this domain; use a real address of your own")
    return email


class SampleEventsForm(Form):
    """Whose profile the sample events go to."""

    email: Annotated[
        EmailAddress,
        AfterValidator(_recorded),
        Field(description="Your own e-mail address: its profile in Klaviyo gets the events. It is not stored here."),
    ]


class SampleEvent(Told):
    """One sample event."""

    type: Annotated[str, Field(description="Event type of the catalogue.", examples=["points_expiring"])]
    metric: Annotated[str, Field(description="Klaviyo's name of it here.", examples=["Points Expiring"])]


class SampleEventsDocument(Told):
    """What was sent."""

    sent: Annotated[int, Field(description="Events that Klaviyo accepted. It drops those that the profile has.")]
    events: Annotated[tuple[SampleEvent, ...], Field(description="One for each selected type that is produced.")]
