"""Composition root of ``balance_adjust``, a place that knows concrete classes."""

from __future__ import annotations

from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.unfinished_requests import DynamoUnfinishedRequests
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.admission import admission
from loyalty.runtime.settings import BalanceAdjustSettings
from loyalty.services.adjust_balances import AdjustBalances
from loyalty.services.posting import Ledger


def adjust_balances(settings: BalanceAdjustSettings) -> AdjustBalances:
    """What ``balance_adjust`` does."""
    client, clock, randomness = settings.aws.dynamodb, SystemClock(), SystemRandomness()
    return AdjustBalances(
        admit=admission(settings),
        ledger=Ledger(DynamoLedger(client, settings.table_name), clock, randomness),
        unfinished=DynamoUnfinishedRequests(client, settings.table_name),
        clock=clock,
        randomness=randomness,
    )
