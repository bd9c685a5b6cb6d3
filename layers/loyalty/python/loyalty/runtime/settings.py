"""What a function is told by its environment. Each function has a model with what it needs, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from loyalty.domain.errors import Misconfigured
from loyalty.runtime.aws_clients import AwsClients

Text = Annotated[str, StringConstraints(min_length=1)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/]+")]


class Settings(BaseModel):
    """What every function has: the region, which Lambda always names."""

    # Of all these models a process builds the one it uses.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    region: Text = Field(validation_alias="AWS_REGION")

    @cached_property
    def aws(self) -> AwsClients:
        """AWS clients for what these settings name."""
        return AwsClients(self.region)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings.

        Raises:
            Misconfigured: variables are missing or malformed; the message names them all, never their values.
        """
        try:
            return cls.model_validate(dict(os.environ if environment is None else environment))
        except ValidationError as error:
            names = sorted({str(problem["loc"][0]) for problem in error.errors()})
            raise Misconfigured(
                f"Environment variables are missing or malformed: {', '.join(names)}.", variables=names
            ) from None


class WithTable(Settings):
    """Access to the table."""

    table_name: Text = Field(validation_alias="TABLE_NAME")


class WithCredentials(Settings):
    """Access to what is encrypted for a program."""

    credentials_key_id: Text = Field(validation_alias="CREDENTIALS_KEY_ID")


class WithKlaviyo(WithCredentials):
    """Access to Klaviyo for a program's connection."""

    klaviyo_base_url: Url = Field(validation_alias="KLAVIYO_BASE_URL")


class WithKlaviyoApp(WithTable, WithKlaviyo):
    """Access to Klaviyo by OAuth: our app there, and where a lost access is told."""

    klaviyo_app_secret: Text = Field(validation_alias="KLAVIYO_APP_SECRET")
    notification_topic: Text = Field(validation_alias="NOTIFICATION_TOPIC")


class WithReviewsQueue(Settings):
    """Access to the queue of reviews to decide on."""

    reviews_queue_url: Url = Field(validation_alias="REVIEWS_QUEUE_URL")


class WithEventsQueue(Settings):
    """Access to the queue of events that Klaviyo is owed."""

    events_queue_url: Url = Field(validation_alias="EVENTS_QUEUE_URL")


class WithProfilesQueue(Settings):
    """Access to the queue of programs whose profiles Klaviyo is owed."""

    profiles_queue_url: Url = Field(validation_alias="PROFILES_QUEUE_URL")


class WithSyncsQueue(Settings):
    """Access to the queue of full syncs and bulk imports to go on with."""

    syncs_queue_url: Url = Field(validation_alias="SYNCS_QUEUE_URL")


class WithOperatorKey(Settings):
    """Access to the operator's key."""

    operator_key_secret: Text = Field(validation_alias="OPERATOR_KEY_SECRET")


class BalanceAdjustSettings(WithTable):
    """Settings of ``balance_adjust``."""


class WithSweepsQueue(Settings):
    """Access to the queue of shards to sweep."""

    sweeps_queue_url: Url = Field(validation_alias="SWEEPS_QUEUE_URL")


class ProgramApiSettings(WithTable, WithOperatorKey, WithSweepsQueue):
    """Settings of ``program_api``."""


class ReviewWebhookSettings(WithTable, WithCredentials, WithReviewsQueue):
    """Settings of ``review_webhook``."""


class ReviewFlowSettings(WithTable, WithReviewsQueue):
    """Settings of ``review_flow``."""


class ReviewAwardSettings(WithTable, WithReviewsQueue):
    """Settings of ``review_award``."""


class OutboxRelaySettings(WithEventsQueue, WithProfilesQueue):
    """Settings of ``outbox_relay``."""


class KlaviyoEventsSettings(WithKlaviyoApp, WithEventsQueue):
    """Settings of ``klaviyo_events``."""


class KlaviyoProfilesSettings(WithKlaviyoApp, WithProfilesQueue, WithSyncsQueue):
    """Settings of ``klaviyo_profiles``."""


class KlaviyoSyncSettings(WithKlaviyoApp, WithEventsQueue, WithProfilesQueue, WithSyncsQueue):
    """Settings of ``klaviyo_sync``."""


class ExpiryWarningsSettings(WithSweepsQueue):
    """Settings of ``expiry_warnings``."""


class DueSweepSettings(WithTable, WithSweepsQueue):
    """Settings of ``due_sweep``."""


class OauthCallbackSettings(WithKlaviyoApp, WithEventsQueue, WithProfilesQueue, WithSyncsQueue, WithOperatorKey):
    """Settings of ``oauth_callback``."""


class KlaviyoConnectionSettings(WithKlaviyoApp, WithEventsQueue, WithProfilesQueue, WithSyncsQueue, WithOperatorKey):
    """Settings of ``klaviyo_connection``."""


class KlaviyoUpkeepSettings(WithKlaviyoApp, WithEventsQueue, WithProfilesQueue, WithSyncsQueue, WithReviewsQueue):
    """Settings of ``klaviyo_upkeep``."""
