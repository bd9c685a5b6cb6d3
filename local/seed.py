"""The demo program: opened, connected to Klaviyo with a private key, its first sync done, its webhook registered."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from local.fake_klaviyo.seed import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from local.inspection import Inspection
from local.processes import StackError
from loyalty.adapters.dynamodb.key_store import DynamoKeys
from loyalty.adapters.dynamodb.oauth_records import DynamoOAuthRecords
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.klaviyo.connections import KlaviyoClients
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync, Webhook
from loyalty.domain.errors import LoyaltyError
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.open_program import OpenProgram
from loyalty.services.review_webhook_registration import REVIEW_TOPICS, RegisterReviewWebhook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.emulator import Emulator
    from local.klaviyo import Klaviyo
    from loyalty.domain.identity import ProgramSlug

SLUG: Final = "demo"
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Since when the demo program counts as connected, so that sample deliveries of any date are of its time."""


@dataclass(frozen=True)
class DemoProgram:
    """What a sender of deliveries to the demo program needs."""

    slug: ProgramSlug
    webhook_id: str
    webhook_secret: str = field(repr=False)
    api_key: str = field(repr=False)


def seed(emulator: Emulator, klaviyo: Klaviyo, outputs: Mapping[str, str], api_url: str) -> DemoProgram:
    """Make the demo program in a freshly deployed stack; ``outputs`` are the stack's.

    Another Klaviyo than the fake may speak only a part of the API, or refuse a webhook to a loopback address. The
    program is then connected all the same, with a webhook that is known on our side only: whoever has its secret can
    sign deliveries.

    Raises:
        StackError: the fake Klaviyo did not take part.
    """
    clock, randomness = SystemClock(), SystemRandomness()
    vault = KmsVault(emulator.client("kms"), outputs["CredentialsKeyId"])
    dynamodb, table = emulator.client("dynamodb"), outputs["TableName"]
    programs = DynamoPrograms(dynamodb, table)
    clients = KlaviyoClients(klaviyo.url, clock)
    slug = OpenProgram(programs, clock, randomness)(SLUG, "Demo store").slug
    _enter_app(emulator, klaviyo, outputs, api_url)
    try:
        account_id = clients.holding(slug, ConnectionMode.API_KEY, klaviyo.private_key).account_id()
    except LoyaltyError as refused:
        if klaviyo.is_fake:
            raise StackError(f"The demo program could not be connected: {refused.message}") from refused
        account_id = "unknown"
    credential = vault.encrypt(slug, klaviyo.private_key)
    connection = Connection(ConnectionMode.API_KEY, ConnectionStatus.CONNECTED, account_id, credential, LONG_AGO)
    webhook = _webhook(clients, klaviyo, vault, slug, f"{api_url}/webhooks/klaviyo/{slug}")
    # There is nobody to sync yet.
    connection = replace(connection, webhooks=(webhook,), reviews_detected=True, first_sync=FirstSync.DONE)
    DynamoOAuthRecords(dynamodb, table).establish(slug, connection, None)
    keys = KeepKeys(DynamoKeys(dynamodb, table), clock, randomness)
    api_key = keys.create(slug, "Demo", [Scope.ADMIN]).text
    return DemoProgram(slug, webhook.id, vault.decrypt(slug, webhook.secrets[0]), api_key)


def _enter_app(emulator: Emulator, klaviyo: Klaviyo, outputs: Mapping[str, str], api_url: str) -> None:
    """Register an OAuth app with the fake Klaviyo and enter it where the product looks for it."""
    app = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET}
    if klaviyo.is_fake:
        Inspection(klaviyo.url).post("/apps", **app, redirect_uris=[f"{api_url}/klaviyo/oauth/callback"])
    emulator.client("secretsmanager").put_secret_value(
        SecretId=outputs["KlaviyoAppSecretArn"], SecretString=json.dumps({**app, "public_url": api_url})
    )


def _webhook(clients: KlaviyoClients, klaviyo: Klaviyo, vault: KmsVault, slug: ProgramSlug, url: str) -> Webhook:
    """Register the webhook for reviews, as an account with Advanced KDP may with a private key."""
    api = clients.holding(slug, ConnectionMode.API_KEY, klaviyo.private_key)
    try:
        found = RegisterReviewWebhook(vault, SystemRandomness())(api, slug, url, ())
    except LoyaltyError as refused:
        if klaviyo.is_fake:
            raise StackError(f"The demo program got no webhook: {refused.message}") from refused
    else:
        if found.webhooks:
            return found.webhooks[0]
    secret = vault.encrypt(slug, secrets.token_urlsafe(32))
    return Webhook(f"local-{secrets.token_hex(8)}", REVIEW_TOPICS, (secret,))
