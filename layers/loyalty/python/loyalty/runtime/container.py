"""Composition root: the one place that knows concrete classes. A function builds its use case once a process.

In Lambda that happens while the module loads, where time is cheapest. Anywhere else importing a handler builds
nothing, so that a test may first put something of its own in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import boto3

from loyalty.adapters.aws import CONFIG
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.klaviyo.connections import KlaviyoConnections
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.sqs_visibility import SqsVisibility
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.errors import Misconfigured
from loyalty.runtime.lanes import EventsLane, ProfilesLane, Return
from loyalty.runtime.settings import (
    KlaviyoEventsSettings,
    KlaviyoProfilesSettings,
    OutboxRelaySettings,
    ReviewAwardSettings,
    ReviewWebhookSettings,
    Settings,
    WithCredentials,
)
from loyalty.services.award_review import AwardReview
from loyalty.services.deliver_events import DeliverEvents
from loyalty.services.deliver_profiles import DeliverProfiles
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.posting import Ledger
from loyalty.services.recent_programs import RecentPrograms
from loyalty.services.relay_outbox import RelayOutbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_UseCaseT = TypeVar("_UseCaseT")
_SettingsT = TypeVar("_SettingsT", bound=Settings)


class UseCase(Generic[_UseCaseT]):
    """A function's use case, built when the environment allows and kept for the life of the process."""

    def __init__(self, settings: type[_SettingsT], build: Callable[[_SettingsT], _UseCaseT]) -> None:
        self._build: Callable[[], _UseCaseT] = lambda: build(settings.from_environment())
        self._built: _UseCaseT | None = None
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            self._warm()

    def __call__(self) -> _UseCaseT:
        """The use case.

        Raises:
            Misconfigured: the environment lacks a variable.
        """
        if self._built is None:
            self._built = self._build()
        return self._built

    def replace(self, use_case: _UseCaseT | None) -> None:
        """Put another one in its place; None has it built anew from the environment."""
        self._built = use_case

    def _warm(self) -> None:
        try:
            self._built = self._build()
        except Misconfigured:
            # The first invocation says so, where it is logged and answered.
            self._built = None


def intake_reviews(settings: ReviewWebhookSettings) -> IntakeReviews:
    """What ``review_webhook`` does."""
    clock = SystemClock()
    programs = DynamoPrograms(_dynamodb(settings), settings.table_name)
    return IntakeReviews(
        programs=RecentPrograms(programs, _vault(settings), clock),
        queue=SqsQueue(_sqs(settings), settings.reviews_queue_url, clock, SystemRandomness()),
    )


def award_review(settings: ReviewAwardSettings) -> AwardReview:
    """What ``review_award`` does."""
    client, clock = _dynamodb(settings), SystemClock()
    return AwardReview(
        programs=DynamoPrograms(client, settings.table_name),
        ledger=Ledger(DynamoLedger(client, settings.table_name), clock, SystemRandomness()),
        decisions=DynamoDecisions(client, settings.table_name),
        clock=clock,
    )


def relay_outbox(settings: OutboxRelaySettings) -> RelayOutbox:
    """What ``outbox_relay`` does."""
    client, clock, randomness = _sqs(settings), SystemClock(), SystemRandomness()
    return RelayOutbox(
        events=SqsQueue(client, settings.events_queue_url, clock, randomness),
        profiles=SqsQueue(client, settings.profiles_queue_url, clock, randomness),
        clock=clock,
    )


def events_lane(settings: KlaviyoEventsSettings) -> EventsLane:
    """What ``klaviyo_events`` does."""
    client, clock = _dynamodb(settings), SystemClock()
    return EventsLane(
        deliver=DeliverEvents(
            programs=DynamoPrograms(client, settings.table_name),
            outbox=DynamoOutbox(client, settings.table_name),
            klaviyo=KlaviyoConnections(settings.klaviyo_base_url, _vault(settings), clock),
            clock=clock,
        ),
        give_back=Return(SqsVisibility(_sqs(settings), settings.events_queue_url), SystemRandomness()),
        clock=clock,
    )


def profiles_lane(settings: KlaviyoProfilesSettings) -> ProfilesLane:
    """What ``klaviyo_profiles`` does."""
    client, queue, clock = _dynamodb(settings), _sqs(settings), SystemClock()
    return ProfilesLane(
        deliver=DeliverProfiles(
            programs=DynamoPrograms(client, settings.table_name),
            outbox=DynamoOutbox(client, settings.table_name),
            klaviyo=KlaviyoConnections(settings.klaviyo_base_url, _vault(settings), clock),
            queue=SqsQueue(queue, settings.profiles_queue_url, clock, SystemRandomness()),
            clock=clock,
        ),
        give_back=Return(SqsVisibility(queue, settings.profiles_queue_url), SystemRandomness()),
        clock=clock,
    )


def _dynamodb(settings: Settings) -> DynamoDBClient:
    return boto3.client("dynamodb", region_name=settings.region, config=CONFIG)


def _sqs(settings: Settings) -> SQSClient:
    return boto3.client("sqs", region_name=settings.region, config=CONFIG)


def _vault(settings: WithCredentials) -> KmsVault:
    client = boto3.client("kms", region_name=settings.region, config=CONFIG)
    return KmsVault(client, settings.credentials_key_id)
