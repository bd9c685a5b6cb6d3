"""Small object mothers: a valid thing with as little said as the test needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync
from loyalty.domain.identity import Address, ProgramSlug
from loyalty.domain.ledger.commands import Action, Command, CommandKey, Narrative
from loyalty.domain.ledger.entry import Source
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from tests.fakes.clocks import START

SARAH = Address("email", "sarah.mason@klaviyo-demo.com")
BILL = Address("email", "bill.joel@klaviyo-demo.com")

_numbers = count(1)


def a_connection(**changes: Any) -> Connection:
    """A connection that is sending."""
    connection = Connection(
        mode=ConnectionMode.API_KEY,
        status=ConnectionStatus.CONNECTED,
        account_id="AbC123",
        credential=b"sealed",
        connected_at=START,
        first_sync=FirstSync.DONE,
    )
    return replace(connection, **changes)


def a_program(**changes: Any) -> Program:
    """A connected program with default terms."""
    program = Program(
        slug=ProgramSlug("candles"),
        name="Candle Club",
        id_key="00112233445566778899aabbccddeeff",
        created_at=START,
        terms=Terms(),
        connection=a_connection(),
    )
    return replace(program, **changes)


def a_command(
    action: Action, *, key: str = "", natural: bool = False, at: datetime = START, **narrative: Any
) -> Command:
    """A command with a key of its own unless one is given."""
    story = Narrative(Source("test"), "tester", at, **narrative)
    return Command(CommandKey("test", key or f"key-{next(_numbers)}", natural), action, story)
