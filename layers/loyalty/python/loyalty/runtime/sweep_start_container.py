"""Composition root of ``expiry_warnings``, which hands the sweep out and so needs nothing of the ledger."""

from __future__ import annotations

from loyalty.adapters.dynamodb.keys import DUE_SHARDS
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.runtime.settings import ExpiryWarningsSettings
from loyalty.services.begin_sweep import BeginSweep


def begin_sweep(settings: ExpiryWarningsSettings) -> BeginSweep:
    """What ``expiry_warnings`` does."""
    clock = SystemClock()
    queue = SqsQueue(settings.aws.sqs, settings.sweeps_queue_url, clock, SystemRandomness())
    return BeginSweep(queue, clock, DUE_SHARDS)
