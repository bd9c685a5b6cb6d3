"""Take in a review that a Klaviyo flow sends: caller admitted, review checked whole, then queued (R14, R136)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loyalty.contracts.flow_reviews import TakenReview, read_flow_review
from loyalty.contracts.review_facts import digester
from loyalty.domain.api_keys import Scope
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock, MessageQueue
from loyalty.services.admit_caller import AdmitCaller, Caller
from loyalty.services.queue_reviews import queued


@dataclass(frozen=True, slots=True)
class FlowReviewTaken:
    """A review that is on its way to the rule."""

    program: ProgramSlug
    actor: str
    flow_id: str
    review_key: str

    @property
    def message(self) -> str:
        """What happened."""
        return "review of a flow taken in"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {"ReviewsReceived": 1}

    @property
    def ids(self) -> Mapping[str, str]:
        """Where to look further."""
        ids = {"program": self.program, "key_id": self.actor, "flow_id": self.flow_id, "review_key": self.review_key}
        return {name: value for name, value in ids.items() if value}

    @property
    def answer(self) -> str:
        """What the caller is told, as JSON."""
        return TakenReview(review=self.review_key).model_dump_json()


@dataclass(frozen=True, slots=True)
class TakeFlowReview:
    """Takes reviews of flows in."""

    admit: AdmitCaller
    queue: MessageQueue
    clock: Clock

    def __call__(self, slug: str, headers: Mapping[str, str], body: bytes, correlation_id: str) -> FlowReviewTaken:
        """Queue a review; ``headers`` go by lower-cased name, ``correlation_id`` follows the review through the logs.

        Raises:
            Unauthenticated, Forbidden, NotFound, TooManyRequests: see ``AdmitCaller``.
            TooLarge, Invalid, Rejected: the request is wrong and nothing of it was done.
            Transient: the queue or storage is out of reach; the same request can be sent again.
        """
        caller = Caller.of(headers)
        admitted = self.admit(caller, slug, Scope.REVIEWS_WRITE)
        review = read_flow_review(admitted.program.slug, body, digester(admitted.program), self.clock.now())
        self.queue.send([queued(review, correlation_id)])
        return FlowReviewTaken(admitted.program.slug, admitted.actor, caller.flow_id, review.review_key)
