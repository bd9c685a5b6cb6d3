"""A delivery of Klaviyo's system webhooks, from its signature to the reviews in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.contracts.klaviyo_signature import SignedDelivery
from loyalty.contracts.klaviyo_webhook import parse_delivery
from loyalty.contracts.review_facts import digester
from loyalty.contracts.review_messages import QueuedReview
from loyalty.domain.errors import Unauthenticated
from loyalty.domain.program import Program


@dataclass(frozen=True, slots=True)
class KlaviyoDelivery:
    """One delivery as it came in."""

    signed: SignedDelivery

    @classmethod
    def of(cls, slug: str, headers: Mapping[str, str], body: bytes) -> Self:
        """Read the headers, given by lower-cased name; a missing one is an empty claim."""
        return cls(SignedDelivery.of(slug, headers, body))

    @property
    def slug(self) -> str:
        """The program that it is said to be for."""
        return self.signed.slug

    @property
    def webhook_id(self) -> str:
        """The webhook that it is said to come from."""
        return self.signed.webhook_id

    def is_signed_with(self, secrets: Sequence[str]) -> bool:
        """Whether one of the secrets made the signature."""
        return self.signed.is_signed_with(secrets)

    def read(self, program: Program) -> list[QueuedReview | None]:
        """The reviews of an authentic delivery; None for every event that cannot earn.

        Raises:
            Invalid: ``malformed_json`` or ``malformed_delivery``.
            Unauthenticated: ``webhook_mismatch``, the header, which nobody signed, names another webhook than the body.
        """
        envelope = parse_delivery(self.signed.body)
        if not self.signed.is_from(envelope.meta.klaviyo_webhook_id):
            raise Unauthenticated(
                "Klaviyo-Webhook-Id is not the webhook that the body names.",
                code="webhook_mismatch",
                program=program.slug,
            )
        digest_text = digester(program)
        return [read_review(program.slug, event, digest_text) for event in envelope.data]
