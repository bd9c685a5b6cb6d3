"""Composition root of ``due_sweep``, a place that knows concrete classes."""

from __future__ import annotations

from loyalty.adapters.dynamodb.due_index import DynamoDueIndex
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.roster import DynamoRoster
from loyalty.adapters.sqs import SqsQueue
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.runtime.observability import logger, report_error
from loyalty.runtime.settings import DueSweepSettings
from loyalty.services.posting import Ledger
from loyalty.services.settle_program import AttendToMessage, SettleProgram
from loyalty.services.sweep_due import SweepDue


def sweep_due(settings: DueSweepSettings) -> AttendToMessage:
    """What ``due_sweep`` does."""
    client = settings.aws.dynamodb
    clock, table = SystemClock(), settings.table_name
    queue = SqsQueue(settings.aws.sqs, settings.sweeps_queue_url, clock, SystemRandomness())
    programs, index = DynamoPrograms(client, table), DynamoDueIndex(client, table)
    ledger = Ledger(DynamoLedger(client, table), clock, SystemRandomness())
    return AttendToMessage(
        SweepDue(
            programs=programs,
            ledger=ledger,
            index=index,
            queue=queue,
            clock=clock,
            failed=lambda member, error: _member_failed(member.program, member.member_id, error),
        ),
        SettleProgram(
            programs=programs,
            ledger=ledger,
            index=index,
            roster=DynamoRoster(client, table),
            queue=queue,
            clock=clock,
            failed=_member_failed,
        ),
    )


def _member_failed(program: ProgramSlug, member_id: MemberId, error: Exception) -> None:
    with logger.append_context_keys(program=program, member_id=member_id):
        report_error("due member not attended to", error)
