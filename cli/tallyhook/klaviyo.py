"""Klaviyo as an operator's commands speak to it: with a program's stored connection, its tokens kept as ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loyalty.adapters.dynamodb.call_permits import DynamoCallPermits
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.klaviyo.connections import KlaviyoClients, KlaviyoConnections, new_session
from loyalty.adapters.klaviyo.oauth import KlaviyoOAuth
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.secrets import AppSecret, StoredSecret
from loyalty.adapters.sns import SnsNotices
from loyalty.adapters.system import SystemClock
from loyalty.services.keep_tokens import TokenKeeper

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class KlaviyoSetup:
    """Where a deployment keeps what Klaviyo is spoken to with; ``client`` makes AWS clients."""

    client: Callable[[str], Any]
    table: str
    base_url: str
    credentials_key_id: str
    app_secret: str
    notification_topic: str

    @property
    def app(self) -> AppSecret:
        """What the operator entered about the app at Klaviyo."""
        return AppSecret(StoredSecret(lambda: self.client("secretsmanager"), self.app_secret, SystemClock()))

    def connections(self) -> KlaviyoConnections:
        """Klaviyo for this deployment's programs."""
        clock, session, dynamodb = SystemClock(), new_session(), self.client("dynamodb")
        keeper = TokenKeeper(
            DynamoPrograms(dynamodb, self.table),
            KmsVault(self.client("kms"), self.credentials_key_id),
            KlaviyoOAuth(session, self.base_url, self.app),
            SnsNotices(lambda: self.client("sns"), self.notification_topic),
            clock,
        )
        permits = DynamoCallPermits(dynamodb, self.table, clock)
        return KlaviyoConnections(KlaviyoClients(self.base_url, clock, session=session, permits=permits), keeper)
