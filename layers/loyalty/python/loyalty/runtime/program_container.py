"""Composition root of ``program_api``, a place that knows concrete classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.adapters.dynamodb.connection_notes import DynamoConnectionNotes
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.key_store import DynamoKeys
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.settings_store import DynamoSettings
from loyalty.adapters.secrets import OperatorSecret, StoredSecret
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.ports import QueueMessage
from loyalty.runtime.admission import admission
from loyalty.runtime.program_api import ProgramApi
from loyalty.runtime.rules_api import RulesApi
from loyalty.runtime.settings import ProgramApiSettings
from loyalty.services.correct_members import CorrectMembers
from loyalty.services.explain_reviews import ExplainReviews
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.keep_settings import KeepSettings
from loyalty.services.open_program import OpenProgram
from loyalty.services.posting import Ledger
from loyalty.services.read_members import Members


def program_api(settings: ProgramApiSettings) -> ProgramApi:
    """What ``program_api`` does."""
    client, clock, randomness = settings.aws.dynamodb, SystemClock(), SystemRandomness()
    operator = OperatorSecret(StoredSecret(lambda: settings.aws.secrets, settings.operator_key_secret, clock))
    table = settings.table_name
    admit = admission(settings, operator)
    keep_settings = KeepSettings(DynamoSettings(client, table), clock, _Sweeps(settings))
    ledger = Ledger(DynamoLedger(client, table), clock, randomness)
    explain = ExplainReviews(DynamoDecisions(client, table), DynamoConnectionNotes(client, table), ledger)
    return ProgramApi(
        admit=admit,
        open_program=OpenProgram(DynamoPrograms(client, table), clock, randomness),
        settings=keep_settings,
        keys=KeepKeys(DynamoKeys(client, table), clock, randomness),
        members=Members(ledger),
        corrections=CorrectMembers(ledger, DynamoDecisions(client, table)),
        rules=RulesApi(admit, keep_settings, explain),
    )


@dataclass(frozen=True, slots=True)
class _Sweeps:
    """The queue of sweeps; its client is made when it is used, for most requests never do."""

    settings: ProgramApiSettings

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Store all messages.

        Raises:
            Transient: some are not stored; sending all of them again is safe.
        """
        settings = self.settings
        SqsQueue(settings.aws.sqs, settings.sweeps_queue_url, SystemClock(), SystemRandomness()).send(messages)
