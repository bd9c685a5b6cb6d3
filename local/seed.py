"""The demo program: opened, connected to Klaviyo with a private key, its first sync done, its webhook registered."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from local.processes import StackError
from loyalty.adapters.dynamodb.audit import DynamoAudit
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.klaviyo.connections import KlaviyoConnections
from loyalty.adapters.kms import KmsVault
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, Webhook
from loyalty.domain.errors import LoyaltyError
from loyalty.services.connect_account import REVIEW_TOPICS, ConnectAccount
from loyalty.services.first_sync import StartFirstSync
from loyalty.services.open_program import OpenProgram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.emulator import Emulator
    from local.klaviyo import Klaviyo
    from loyalty.domain.identity import ProgramSlug

SLUG: Final = "demo"


@dataclass(frozen=True)
class DemoProgram:
    """What a sender of deliveries to the demo program needs."""

    slug: ProgramSlug
    webhook_id: str
    webhook_secret: str = field(repr=False)


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
    slug = OpenProgram(programs, clock, randomness)(SLUG, "Demo store").slug
    connect = ConnectAccount(programs, KlaviyoConnections(klaviyo.url, vault, clock), vault, clock, randomness)
    try:
        connect(slug, klaviyo.private_key, f"{api_url}/webhooks/klaviyo/{slug}")
    except LoyaltyError as refused:
        if klaviyo.is_fake:
            raise StackError(f"The demo program could not be connected: {refused.message}") from refused
        credential = vault.encrypt(slug, klaviyo.private_key)
        alone = Connection(ConnectionMode.API_KEY, ConnectionStatus.CONNECTED, "unknown", credential, clock.now())
        programs.save_connection(slug, alone)
    StartFirstSync(programs, DynamoAudit(dynamodb, table, clock))(slug)
    webhook = _webhook(programs, vault, slug)
    return DemoProgram(slug, webhook.id, vault.decrypt(slug, webhook.secrets[0]))


def _webhook(programs: DynamoPrograms, vault: KmsVault, slug: ProgramSlug) -> Webhook:
    program = programs.load(slug)
    if program is None or program.connection is None:
        raise StackError("The demo program is not there after it was made.")
    if program.connection.webhooks:
        return program.connection.webhooks[0]
    secret = vault.encrypt(slug, secrets.token_urlsafe(32))
    webhook = Webhook(f"local-{secrets.token_hex(8)}", REVIEW_TOPICS, (secret,))
    programs.save_connection(slug, replace(program.connection, webhooks=(webhook,)))
    return webhook
