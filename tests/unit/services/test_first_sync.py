"""The first sync: done at once where there is nobody, never claimed where there is somebody."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from loyalty.domain.connection import Connection, ConnectionStatus, FirstSync
from loyalty.domain.errors import NotFound, Rejected
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.ports import Audit
from loyalty.services.first_sync import StartFirstSync
from tests.builders import a_connection, a_program
from tests.fakes.memory_programs import MemoryPrograms

SLUG = ProgramSlug("candles")


@dataclass
class Members:
    """Enumerates members as the audit does."""

    ids: tuple[str, ...] = ()

    def member_ids(self, program: ProgramSlug) -> Iterator[MemberId]:
        assert program == SLUG
        yield from map(MemberId, self.ids)


def started(connection: Connection | None, *members: str) -> tuple[FirstSync, FirstSync]:
    """What starting answers, and what is stored afterwards."""
    programs = MemoryPrograms(a_program(connection=connection))
    answer = StartFirstSync(programs, cast(Audit, Members(members)))(SLUG)
    stored = programs.programs[SLUG].connection
    assert stored is not None
    return answer, stored.first_sync


def test_a_program_without_members_is_synced_at_once() -> None:
    """R27."""
    assert started(a_connection(first_sync=FirstSync.NOT_STARTED)) == (FirstSync.DONE, FirstSync.DONE)


def test_a_program_with_members_is_not_said_to_be_synced() -> None:
    """R28, R30: Klaviyo has none of these profiles yet."""
    connection = a_connection(first_sync=FirstSync.NOT_STARTED)
    assert started(connection, "m1") == (FirstSync.NOT_STARTED, FirstSync.NOT_STARTED)


@pytest.mark.parametrize("progress", [FirstSync.RUNNING, FirstSync.DONE])
def test_what_has_begun_goes_on(progress: FirstSync) -> None:
    assert started(a_connection(first_sync=progress)) == (progress, progress)


@pytest.mark.parametrize(
    "connection", [None, a_connection(status=ConnectionStatus.DISCONNECTED)], ids=["never", "gone"]
)
def test_without_a_connection_there_is_nothing_to_sync_with(connection: Connection | None) -> None:
    with pytest.raises(Rejected, match="not connected"):
        StartFirstSync(MemoryPrograms(a_program(connection=connection)), cast(Audit, Members()))(SLUG)


def test_an_unknown_program_is_not_found() -> None:
    with pytest.raises(NotFound):
        StartFirstSync(MemoryPrograms(), cast(Audit, Members()))(SLUG)
