"""Composition root of ``oauth_callback``, a place that knows concrete classes."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.adapters.dynamodb.oauth_records import DynamoOAuthRecords
from loyalty.adapters.secrets import OperatorSecret, StoredSecret
from loyalty.adapters.system import SystemRandomness
from loyalty.runtime.admission import admission
from loyalty.runtime.klaviyo_access import KlaviyoAccess
from loyalty.runtime.settings import KlaviyoConnectionSettings, OauthCallbackSettings
from loyalty.runtime.waiting_work import requeue_owed, wake_syncs
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.authorize_program import AuthorizeProgram
from loyalty.services.connect_account import EstablishConnection
from loyalty.services.resume_sending import Resume
from loyalty.services.review_webhook_registration import RegisterReviewWebhook


@dataclass(frozen=True, slots=True)
class Journey:
    """What the pages of a connect need."""

    admit: AdmitCaller
    authorize: AuthorizeProgram
    resume: Resume


def connect_journey(settings: OauthCallbackSettings | KlaviyoConnectionSettings) -> Journey:
    """What ``oauth_callback`` does."""
    return journey(settings, KlaviyoAccess.of(settings))


def journey(settings: OauthCallbackSettings | KlaviyoConnectionSettings, access: KlaviyoAccess) -> Journey:
    """A journey over access to Klaviyo that is there already."""
    client = settings.aws.dynamodb
    randomness = SystemRandomness()
    establish = EstablishConnection(
        programs=access.programs,
        records=DynamoOAuthRecords(client, settings.table_name),
        klaviyo=access.klaviyo,
        register=RegisterReviewWebhook(access.vault, randomness),
        clock=access.clock,
    )
    return Journey(
        admit=admission(
            settings,
            OperatorSecret(StoredSecret(lambda: settings.aws.secrets, settings.operator_key_secret, access.clock)),
        ),
        authorize=AuthorizeProgram(establish, access.oauth, access.app, access.vault, access.clock, randomness),
        resume=Resume(requeue_owed(settings, access), wake_syncs(settings, access), access.clock),
    )
