"""Settings: each function needs what it needs, and says all that is missing at once."""

from __future__ import annotations

import pytest

from loyalty.domain.errors import Misconfigured
from loyalty.runtime.settings import (
    BalanceAdjustSettings,
    KlaviyoConnectionSettings,
    KlaviyoEventsSettings,
    KlaviyoProfilesSettings,
    KlaviyoSyncSettings,
    KlaviyoUpkeepSettings,
    OauthCallbackSettings,
    OutboxRelaySettings,
    ProgramApiSettings,
    ReviewAwardSettings,
    ReviewFlowSettings,
    ReviewWebhookSettings,
    Settings,
)
from tests.architecture.template import functions

ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "TABLE_NAME": "ledger",
    "REVIEWS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/reviews",
    "EVENTS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/events",
    "PROFILES_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/profiles.fifo",
    "SWEEPS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/sweeps",
    "SYNCS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/syncs",
    "KLAVIYO_BASE_URL": "https://a.klaviyo.com",
    "KLAVIYO_APP_SECRET": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:KlaviyoApp",
    "NOTIFICATION_TOPIC": "arn:aws:sns:eu-central-1:000000000000:notifications",
    "OPERATOR_KEY_SECRET": "arn:aws:secretsmanager:eu-central-1:000000000000:secret:OperatorKey",
    "CREDENTIALS_KEY_ID": "arn:aws:kms:eu-central-1:000000000000:key/1",
}
MODELS: dict[str, type[Settings]] = {
    "balance_adjust": BalanceAdjustSettings,
    "program_api": ProgramApiSettings,
    "review_webhook": ReviewWebhookSettings,
    "review_flow": ReviewFlowSettings,
    "review_award": ReviewAwardSettings,
    "outbox_relay": OutboxRelaySettings,
    "klaviyo_events": KlaviyoEventsSettings,
    "klaviyo_profiles": KlaviyoProfilesSettings,
    "klaviyo_sync": KlaviyoSyncSettings,
    "klaviyo_connection": KlaviyoConnectionSettings,
    "oauth_callback": OauthCallbackSettings,
    "klaviyo_upkeep": KlaviyoUpkeepSettings,
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())


def needed(model: type[Settings]) -> set[str]:
    return {str(field.validation_alias) for field in model.model_fields.values()}


@each_model
def test_a_complete_environment_is_enough(model: type[Settings]) -> None:
    settings = model.from_environment({name: ENVIRONMENT[name] for name in needed(model)} | {"HOME": "/"})
    assert set(settings.model_dump().values()) <= set(ENVIRONMENT.values())


@each_model
def test_a_missing_or_empty_variable_is_named(model: type[Settings]) -> None:
    for name in needed(model):
        for broken in ({}, {name: ""}):
            environment = {other: value for other, value in ENVIRONMENT.items() if other != name} | broken
            with pytest.raises(Misconfigured) as raised:
                model.from_environment(environment)
            assert raised.value.facts["variables"] == [name]


def test_all_that_is_wrong_is_named_at_once_and_no_value_shown() -> None:
    with pytest.raises(Misconfigured) as raised:
        ReviewWebhookSettings.from_environment({"AWS_REGION": "x", "REVIEWS_QUEUE_URL": "secret"})
    assert raised.value.facts["variables"] == ["CREDENTIALS_KEY_ID", "REVIEWS_QUEUE_URL", "TABLE_NAME"]
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("folder", MODELS)
def test_the_template_gives_each_function_exactly_what_it_reads(folder: str) -> None:
    """A variable that nobody reads would be a permission or address that nobody needs."""
    (function,) = [function for function in functions() if function.folder == folder]
    given = set(function.properties["Environment"]["Variables"])
    assert given == needed(MODELS[folder]) - {"AWS_REGION"}
