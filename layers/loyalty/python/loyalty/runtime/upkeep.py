"""The upkeep as scheduled work: how much time it has, and what is said about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.runtime.observability import Answer, logger, report, report_error
from loyalty.services.look_after_connections import LookAfterConnections

RESERVE = timedelta(seconds=60)
"""Kept of a function's time for the program that is being looked after when it ends."""


def run(service: LookAfterConnections, context: LambdaContext) -> Answer:
    """Look after connections; programs that met trouble are named in the log and have their next turn in time."""
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    done = service(until=datetime.now(UTC) + max(timedelta(seconds=1), left - RESERVE))
    for work in done:
        if work.trouble is not None:
            logger.append_keys(program=work.program)
            report_error("connection not looked after", work.trouble)
            logger.remove_keys(["program"])
        report(work)
    return {"connections": len(done)}
