"""Composition of everything that speaks to Klaviyo: one pool of connections, one keeper of tokens for a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from loyalty.adapters.dynamodb.call_permits import DynamoCallPermits
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.klaviyo.connections import KlaviyoClients, KlaviyoConnections, new_session
from loyalty.adapters.klaviyo.oauth import KlaviyoOAuth
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.secrets import AppSecret, StoredSecret
from loyalty.adapters.sns import SnsNotices
from loyalty.adapters.system import SystemClock
from loyalty.runtime.settings import WithKlaviyoApp
from loyalty.services.keep_tokens import TokenKeeper


@dataclass(frozen=True, slots=True)
class KlaviyoAccess:
    """What a process speaks to Klaviyo with."""

    programs: DynamoPrograms
    vault: KmsVault
    app: AppSecret
    oauth: KlaviyoOAuth
    keeper: TokenKeeper
    klaviyo: KlaviyoConnections
    permits: DynamoCallPermits
    clock: SystemClock

    @classmethod
    def of(cls, settings: WithKlaviyoApp) -> Self:
        """Build it from a function's settings."""
        dynamodb, clock = settings.aws.dynamodb, SystemClock()
        programs = DynamoPrograms(dynamodb, settings.table_name)
        vault = KmsVault(settings.aws.kms, settings.credentials_key_id)
        app = AppSecret(StoredSecret(lambda: settings.aws.secrets, settings.klaviyo_app_secret, clock))
        session = new_session()
        oauth = KlaviyoOAuth(session, settings.klaviyo_base_url, app)
        notices = SnsNotices(lambda: settings.aws.sns, settings.notification_topic)
        keeper = TokenKeeper(programs, vault, oauth, notices, clock)
        permits = DynamoCallPermits(dynamodb, settings.table_name, clock)
        clients = KlaviyoClients(settings.klaviyo_base_url, clock, session=session, permits=permits)
        return cls(programs, vault, app, oauth, keeper, KlaviyoConnections(clients, keeper), permits, clock)
