"""Composition root of ``balance_adjust``, and of what the API's functions share; it knows concrete classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb.key_store import DynamoKeys
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.request_counter import DynamoRequestCounter
from loyalty.adapters.dynamodb.unfinished_requests import DynamoUnfinishedRequests
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.settings import BalanceAdjustSettings, WithTable
from loyalty.services.adjust_balances import AdjustBalances
from loyalty.services.admit_caller import AdmitCaller, NoOperator, OperatorKeys
from loyalty.services.posting import Ledger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def adjust_balances(settings: BalanceAdjustSettings) -> AdjustBalances:
    """What ``balance_adjust`` does."""
    client, clock, randomness = dynamodb(settings), SystemClock(), SystemRandomness()
    return AdjustBalances(
        admit=admission(client, settings, NoOperator()),
        ledger=Ledger(DynamoLedger(client, settings.table_name), clock, randomness),
        unfinished=DynamoUnfinishedRequests(client, settings.table_name),
        clock=clock,
        randomness=randomness,
    )


def admission(client: DynamoDBClient, settings: WithTable, operator: OperatorKeys) -> AdmitCaller:
    """Who admits callers to programs."""
    return AdmitCaller(
        keys=DynamoKeys(client, settings.table_name),
        programs=DynamoPrograms(client, settings.table_name),
        counter=DynamoRequestCounter(client, settings.table_name),
        clock=SystemClock(),
        operator=operator,
    )


def dynamodb(settings: WithTable) -> DynamoDBClient:
    """A client of the table."""
    return settings.aws.dynamodb
