"""Take in a signed delivery of reviews: prove who sent it, and queue every review before the answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.connection_ports import ConnectionNotes
from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.contracts.klaviyo_signature import SignedDelivery
from loyalty.contracts.klaviyo_webhook import parse_delivery
from loyalty.contracts.review_facts import digester
from loyalty.contracts.review_messages import UnusableMessage
from loyalty.domain.errors import Invalid, NotFound, Unauthenticated
from loyalty.domain.identity import ProgramSlug, program_slug
from loyalty.domain.program import Program
from loyalty.ports import Clock, MessageQueue
from loyalty.services.queue_reviews import queued
from loyalty.services.recent_programs import Known, RecentPrograms


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a delivery's events.

    ``queued`` are to be decided on, ``unusable`` are queued to be recorded, ``ignored`` have a topic that cannot earn.
    """

    program: ProgramSlug
    webhook_id: str
    queued: int
    unusable: int
    ignored: int

    @property
    def message(self) -> str:
        """What happened."""
        return "delivery taken in"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "ReviewsReceived": self.queued + self.unusable,
            "ReviewsUnusable": self.unusable,
            "OtherEventsIgnored": self.ignored,
        }

    @property
    def ids(self) -> Mapping[str, str]:
        """Where to look further."""
        return {"program": self.program, "webhook_id": self.webhook_id}

    @property
    def answer(self) -> Mapping[str, int]:
        """What the sender is told."""
        return {"queued": self.queued, "unusable": self.unusable, "ignored": self.ignored}


@dataclass(frozen=True, slots=True)
class IntakeReviews:
    """Takes deliveries in."""

    programs: RecentPrograms
    queue: MessageQueue
    notes: ConnectionNotes
    clock: Clock
    decoy: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def __call__(self, slug: str, headers: Mapping[str, str], body: bytes, correlation_id: str) -> Intake:
        """Queue the reviews of a delivery to a program; what is not authentic leaves no trace.

        ``headers`` go by lower-cased name; ``correlation_id`` follows the reviews through the logs.

        Raises:
            NotFound: there is no such program.
            Unauthenticated: ``invalid_signature`` or ``webhook_mismatch``.
            Invalid: the delivery is authentic and malformed as a whole.
            Transient: the queue did not take everything; the whole delivery can be sent again.
        """
        delivery = SignedDelivery.of(slug, headers, body)
        program = self._authenticated(delivery)
        envelope = parse_delivery(delivery.body)
        if not delivery.is_from(envelope.meta.klaviyo_webhook_id):
            raise Unauthenticated(
                "Klaviyo-Webhook-Id is not the webhook that the body names.",
                code="webhook_mismatch",
                program=program.slug,
            )
        digest_text = digester(program)
        read = [read_review(program.slug, event, digest_text) for event in envelope.data]
        reviews = [review for review in read if review is not None]
        self.queue.send([queued(review, correlation_id) for review in reviews])
        self.notes.delivered(program.slug, self.clock.now())
        unusable = sum(isinstance(review, UnusableMessage) for review in reviews)
        return Intake(
            program=program.slug,
            webhook_id=delivery.webhook_id,
            queued=len(reviews) - unusable,
            unusable=unusable,
            ignored=len(read) - len(reviews),
        )

    def _authenticated(self, delivery: SignedDelivery) -> Program:
        slug = _existing(delivery.slug)
        known = self.programs.look_up(slug, delivery.webhook_id)
        signed = self._is_signed(delivery, known)
        if not signed and not known.fresh:
            # The secret may have been rotated, or the program opened, since it was last read.
            known = self.programs.look_up(slug, delivery.webhook_id, fresh=True)
            signed = self._is_signed(delivery, known)
        if known.program is None:
            raise NotFound("There is no such program.", code="unknown_program")
        if not signed:
            raise Unauthenticated(
                "The signature does not belong to this body and a webhook of this program.",
                code="invalid_signature",
                program=slug,
            )
        return known.program

    def _is_signed(self, delivery: SignedDelivery, known: Known) -> bool:
        # An unknown program or webhook costs the same work as a wrong signature.
        signed = delivery.is_signed_with(known.secrets or (self.decoy,))
        return signed and bool(known.secrets)


def _existing(slug: str) -> ProgramSlug:
    try:
        return program_slug(slug)
    except Invalid:
        raise NotFound("There is no such program.", code="unknown_program") from None
