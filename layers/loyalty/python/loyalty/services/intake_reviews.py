"""Take in a signed delivery of reviews: prove who sent it, and queue every review before the answer."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loyalty.connection_ports import ConnectionNotes
from loyalty.contracts.judgeme_reviews import JudgemeDelivery
from loyalty.contracts.klaviyo_delivery import KlaviyoDelivery
from loyalty.contracts.review_messages import QueuedReview, UnusableMessage
from loyalty.domain.errors import Invalid, NotFound, Unauthenticated
from loyalty.domain.identity import ProgramSlug, program_slug
from loyalty.domain.program import Program
from loyalty.domain.reviews import ReviewSource
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


class Delivery(Protocol):
    """One delivery of a review app as it came in: whom it is for, and what it claims."""

    @property
    def slug(self) -> str:
        """The program that it is said to be for."""

    @property
    def webhook_id(self) -> str:
        """The webhook that it is said to come from."""

    def is_signed_with(self, secrets: Sequence[str]) -> bool:
        """Whether one of the secrets made its signature; takes the same time whichever it was."""

    def read(self, program: Program) -> list[QueuedReview | None]:
        """The reviews of an authentic delivery; None for what cannot earn.

        Raises:
            Invalid: it is malformed as a whole.
            Unauthenticated: what is signed contradicts what is claimed.
        """


DELIVERIES: Mapping[ReviewSource, Callable[[str, Mapping[str, str], bytes], Delivery]] = {
    ReviewSource.KLAVIYO: KlaviyoDelivery.of,
    ReviewSource.JUDGEME: JudgemeDelivery.of,
}
"""How each review app's deliveries are read (R188): slug, headers by lower-cased name, body."""


@dataclass(frozen=True, slots=True)
class IntakeReviews:
    """Takes deliveries in."""

    programs: RecentPrograms
    queue: MessageQueue
    notes: ConnectionNotes
    clock: Clock
    decoy: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)

    def __call__(
        self,
        slug: str,
        headers: Mapping[str, str],
        body: bytes,
        correlation_id: str,
        source: ReviewSource | str = ReviewSource.KLAVIYO,
    ) -> Intake:
        """Queue the reviews of a delivery to a program; what is not authentic leaves no trace.

        ``headers`` go by lower-cased name; ``correlation_id`` follows the reviews through the logs; ``source`` is the
        review app that delivers, a ``ReviewSource`` or its value.

        Raises:
            NotFound: there is no such program.
            Unauthenticated: ``invalid_signature`` or ``webhook_mismatch``.
            Invalid: the delivery is authentic and malformed as a whole.
            Transient: the queue did not take everything; the whole delivery can be sent again.
        """
        source = ReviewSource(source)
        delivery = DELIVERIES[source](slug, headers, body)
        program = self._authenticated(delivery, source)
        read = delivery.read(program)
        reviews = [review for review in read if review is not None]
        self.queue.send([queued(review, correlation_id) for review in reviews])
        if source is ReviewSource.KLAVIYO:
            self.notes.delivered(program.slug, self.clock.now())
        unusable = sum(isinstance(review, UnusableMessage) for review in reviews)
        return Intake(
            program=program.slug,
            webhook_id=delivery.webhook_id,
            queued=len(reviews) - unusable,
            unusable=unusable,
            ignored=len(read) - len(reviews),
        )

    def _authenticated(self, delivery: Delivery, source: ReviewSource) -> Program:
        slug = _existing(delivery.slug)
        known = self.programs.look_up(slug, delivery.webhook_id, source=source)
        signed = self._is_signed(delivery, known)
        if not signed and not known.fresh:
            # The secret may have been rotated, or the program opened, since it was last read.
            known = self.programs.look_up(slug, delivery.webhook_id, source=source, fresh=True)
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

    def _is_signed(self, delivery: Delivery, known: Known) -> bool:
        # An unknown program or webhook costs the same work as a wrong signature.
        signed = delivery.is_signed_with(known.secrets or (self.decoy,))
        return signed and bool(known.secrets)


def _existing(slug: str) -> ProgramSlug:
    try:
        return program_slug(slug)
    except Invalid:
        raise NotFound("There is no such program.", code="unknown_program") from None
