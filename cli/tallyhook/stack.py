"""Which deployment a command works on: a stack on AWS by its name, or the local one by its description file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from loyalty.adapters.dynamodb.audit import DynamoAudit
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.due_index import DynamoDueIndex
from loyalty.adapters.dynamodb.full_syncs import DynamoFullSyncs
from loyalty.adapters.dynamodb.key_store import DynamoKeys
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.settings_store import DynamoSettings
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.errors import Misconfigured
from loyalty.domain.identity import program_slug
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.keep_settings import KeepSettings
from loyalty.services.open_program import OpenProgram
from loyalty.services.posting import Ledger
from loyalty.services.read_members import Members
from loyalty.services.run_sync import RunSync
from tallyhook.delivery import Delivery
from tallyhook.klaviyo import KlaviyoSetup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient

    from loyalty.adapters.klaviyo.connections import KlaviyoConnections
    from loyalty.domain.program import Program

LOCAL_KEY = "test"
"""What the emulator takes, as id and as secret, for the account's root user."""


@dataclass(frozen=True)
class Stack:
    """An open deployment."""

    client: DynamoDBClient
    table: str
    api_url: str
    klaviyo_setup: Callable[[], KlaviyoSetup]
    delivery: Delivery

    @property
    def members(self) -> Members:
        """Its members."""
        return Members(self.ledger)

    @property
    def keys(self) -> KeepKeys:
        """Its API keys."""
        return KeepKeys(DynamoKeys(self.client, self.table), SystemClock(), SystemRandomness())

    @property
    def settings(self) -> KeepSettings:
        """Changes of its programs' settings."""
        return KeepSettings(DynamoSettings(self.client, self.table), SystemClock(), self.delivery.queue("sweeps"))

    @property
    def open_program(self) -> OpenProgram:
        """Opens programs in it."""
        return OpenProgram(DynamoPrograms(self.client, self.table), SystemClock(), SystemRandomness())

    @property
    def programs(self) -> DynamoPrograms:
        """Its programs."""
        return DynamoPrograms(self.client, self.table)

    @property
    def decisions(self) -> DynamoDecisions:
        """Its decisions on reviews."""
        return DynamoDecisions(self.client, self.table)

    @property
    def public_url(self) -> str:
        """The API's root as Klaviyo reaches it: as the operator entered it, else as the stack names it."""
        try:
            return self.klaviyo_setup().app.public_url()
        except Misconfigured:
            return self.api_url

    @property
    def klaviyo(self) -> KlaviyoConnections:
        """Klaviyo for its programs."""
        return self.klaviyo_setup().connections()

    @property
    def run_sync(self) -> RunSync:
        """Full syncs of its programs."""
        syncs = DynamoFullSyncs(self.client, self.table)
        return RunSync(self.programs, syncs, self.delivery.queue("syncs"), self.clock, self.randomness)

    @property
    def randomness(self) -> SystemRandomness:
        """Unguessable values."""
        return SystemRandomness()

    @property
    def clock(self) -> SystemClock:
        """The time."""
        return SystemClock()

    @property
    def store(self) -> DynamoLedger:
        """Its members and journals."""
        return DynamoLedger(self.client, self.table)

    @property
    def ledger(self) -> Ledger:
        """The one way to change a member."""
        return Ledger(self.store, self.clock, SystemRandomness())

    @property
    def index(self) -> DynamoDueIndex:
        """Who is due when."""
        return DynamoDueIndex(self.client, self.table)

    @property
    def audit(self) -> DynamoAudit:
        """Checks and repairs of its ledger."""
        return DynamoAudit(self.client, self.table, self.clock)

    def program(self, slug: str) -> Program:
        """A program of this deployment.

        Raises:
            ClickException: there is none with this slug.
        """
        program = DynamoPrograms(self.client, self.table).load(program_slug(slug))
        if program is None:
            raise click.ClickException(f"There is no program {slug!r} in table {self.table}.")
        return program


def open_stack(name: str | None, local: Path | None) -> Stack:
    """Open the deployment an operator named.

    ``name`` is a CloudFormation stack of the credentials in the environment, ``local`` a local stack's description.

    Raises:
        ClickException: neither is given, or it cannot be reached.
    """
    if local is not None:
        return _described(json.loads(local.read_text()))
    if name is None:
        raise click.UsageError("Name the deployment: --stack NAME for AWS, or --local FILE for a local stack.")
    try:
        facts = _facts(boto3.client("cloudformation"), name)
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"The stack {name!r} cannot be looked up: {error}") from error
    table, make = facts["TableName"], cast(Any, boto3.client)
    client = boto3.client("dynamodb")
    delivery = Delivery(make, table, name)
    return Stack(client, table, facts["ApiUrl"], lambda: _setup(make, table, facts), delivery)


def _described(description: dict[str, Any]) -> Stack:
    make: Any = boto3.client

    def client(service: str) -> Any:
        return make(
            service,
            endpoint_url=description["aws_endpoint_url"],
            region_name=description["region"],
            aws_access_key_id=LOCAL_KEY,
            aws_secret_access_key=LOCAL_KEY,
        )

    def setup() -> KlaviyoSetup:
        return _setup(client, description["table"], _facts(client("cloudformation"), description["stack_name"]))

    delivery = Delivery(client, description["table"], description.get("stack_name", ""))
    return Stack(client("dynamodb"), description["table"], description["api_url"], setup, delivery)


def _facts(cloudformation: CloudFormationClient, name: str) -> dict[str, str]:
    """A stack's parameters and outputs."""
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    return parameters | {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def _setup(client: Callable[[str], Any], table: str, facts: Mapping[str, str]) -> KlaviyoSetup:
    return KlaviyoSetup(
        client=client,
        table=table,
        base_url=facts["KlaviyoBaseUrl"],
        credentials_key_id=facts["CredentialsKeyId"],
        app_secret=facts["KlaviyoAppSecretArn"],
        notification_topic=facts["NotificationTopicArn"],
    )
