"""A review app's access to a program as it is asked for and shown; the secret is taken and never shown (R188)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from loyalty.contracts.forms import Form, Told, Words, filled_in
from loyalty.contracts.strict_json import read_json
from loyalty.domain.moments import utc_text
from loyalty.domain.review_feeds import ReviewFeed

MOST_BYTES = 4096


class JudgemeForm(Form):
    """What lets Judge.me deliver."""

    secret: Annotated[
        Words,
        Field(
            min_length=8,
            max_length=200,
            description="What Judge.me signs with: the private API token or the OAuth app's secret, whichever its "
            "webhook was made with.",
        ),
    ]


class ReviewFeedDocument(Told):
    """Whether a review app may deliver, since when, and where to."""

    source: Literal["judgeme"] = "judgeme"
    enabled: bool
    since: Annotated[str | None, Field(description="Reviews that were written before earn nothing.")]
    webhook_url: Annotated[str, Field(description="Where the app's webhooks go; register review/created and its kin.")]

    @classmethod
    def of(cls, feed: ReviewFeed | None, root: str, slug: str) -> ReviewFeedDocument:
        """What may be shown; ``root`` is the API's."""
        on = feed is not None and feed.is_on
        return cls(
            enabled=on,
            since=utc_text(feed.since) if feed is not None and on else None,
            webhook_url=f"{root}/webhooks/judgeme/{slug}",
        )


def read_secret(body: bytes) -> str:
    """The secret in a request's body.

    Raises:
        TooLarge, Invalid: the body is too large or not JSON.
        Rejected: ``invalid_review_app`` with every error.
    """
    form: JudgemeForm = filled_in(JudgemeForm, read_json(body, MOST_BYTES), "review_app")
    return form.secret.strip()
