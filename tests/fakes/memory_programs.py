"""Programs in memory."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

from loyalty.domain.connection import Connection
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.program import Program


class MemoryPrograms:
    """The program port in a dictionary."""

    def __init__(self, *programs: Program) -> None:
        self.programs = {program.slug: program for program in programs}
        self._lock = threading.Lock()

    def load(self, slug: ProgramSlug) -> Program | None:
        return self.programs.get(slug)

    def create(self, program: Program) -> None:
        if program.slug in self.programs:
            raise Conflict("There is a program with this slug already.", code="program_exists")
        self.programs[program.slug] = program

    def save_connection(self, slug: ProgramSlug, connection: Connection) -> Connection:
        with self._lock:
            program = self.programs[slug]
            if connection.version != (program.connection.version if program.connection else 0):
                raise Conflict("The connection changed meanwhile.", code="connection_changed")
            stored = replace(connection, version=connection.version + 1)
            self.programs[slug] = replace(program, connection=stored)
            return stored

    def connections_due(self, now: datetime, *, limit: int) -> list[ProgramSlug]:
        due = sorted(
            (program.connection.upkeep_at, slug)
            for slug, program in self.programs.items()
            if program.connection and program.connection.upkeep_at and program.connection.upkeep_at < now
        )
        return [slug for _, slug in due[:limit]]
