"""The demo program: opened, connected to Klaviyo with a private key and counted as synced, its webhook registered."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from local.processes import StackError
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.klaviyo.connections import KlaviyoConnections
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.contracts.klaviyo_reviews import TOPICS
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync, Webhook
from loyalty.domain.errors import LoyaltyError
from loyalty.services.open_program import OpenProgram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.emulator import Emulator
    from local.klaviyo import Klaviyo
    from loyalty.domain.identity import ProgramSlug

SLUG: Final = "demo"
T = TypeVar("T")


@dataclass(frozen=True)
class DemoProgram:
    """What a sender of deliveries to the demo program needs."""

    slug: ProgramSlug
    webhook_id: str
    webhook_secret: str = field(repr=False)


def seed(emulator: Emulator, klaviyo: Klaviyo, outputs: Mapping[str, str], api_url: str) -> DemoProgram:
    """Make the demo program in a freshly deployed stack; ``outputs`` are the stack's.

    Raises:
        StackError: the fake Klaviyo did not take part. Another Klaviyo may refuse a webhook to a loopback address; the
            webhook is then known on our side only, for whoever signs deliveries with its secret.
    """
    clock = SystemClock()
    vault = KmsVault(emulator.client("kms"), outputs["CredentialsKeyId"])
    programs = DynamoPrograms(emulator.client("dynamodb"), outputs["TableName"])
    program = OpenProgram(programs, clock, SystemRandomness())(SLUG, "Demo store")
    connection = Connection(
        mode=ConnectionMode.API_KEY,
        status=ConnectionStatus.CONNECTED,
        account_id="",
        credential=vault.encrypt(program.slug, klaviyo.private_key),
        connected_at=clock.now(),
        first_sync=FirstSync.DONE,
        reviews_detected=True,
    )
    api = KlaviyoConnections(klaviyo.url, vault, clock).open(replace(program, connection=connection))
    secret, topics = secrets.token_urlsafe(32), tuple(TOPICS)
    url = f"{api_url}/webhooks/klaviyo/{program.slug}"
    account_id = _asked(klaviyo, api.account_id, "")
    webhook_id = _asked(
        klaviyo,
        lambda: api.create_webhook(name="Tallyhook demo", url=url, secret=secret, topics=topics),
        f"local-{secrets.token_hex(8)}",
    )
    webhook = Webhook(webhook_id, topics, (vault.encrypt(program.slug, secret),))
    programs.save_connection(program.slug, replace(connection, account_id=account_id, webhooks=(webhook,)))
    return DemoProgram(program.slug, webhook_id, secret)


def _asked(klaviyo: Klaviyo, question: Callable[[], T], otherwise: T) -> T:
    try:
        return question()
    except LoyaltyError as refused:
        if klaviyo.is_fake:
            raise StackError(f"The fake Klaviyo did not do as it was asked: {refused}") from refused
        return otherwise
