"""Who admits callers to programs: the part of a composition root that every function of the API shares."""

from __future__ import annotations

from loyalty.adapters.dynamodb.key_store import DynamoKeys
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.request_counter import DynamoRequestCounter
from loyalty.adapters.system import SystemClock
from loyalty.runtime.settings import WithTable
from loyalty.services.admit_caller import AdmitCaller, NoOperator, OperatorKeys


def admission(settings: WithTable, operator: OperatorKeys | None = None) -> AdmitCaller:
    """Who admits callers; without ``operator``, those with a program's key alone."""
    client = settings.aws.dynamodb
    return AdmitCaller(
        keys=DynamoKeys(client, settings.table_name),
        programs=DynamoPrograms(client, settings.table_name),
        counter=DynamoRequestCounter(client, settings.table_name),
        clock=SystemClock(),
        operator=operator or NoOperator(),
    )
