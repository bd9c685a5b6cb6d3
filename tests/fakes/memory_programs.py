"""Programs and decisions in memory."""

from __future__ import annotations

from dataclasses import replace

from loyalty.domain.connection import Connection
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.program import Program
from loyalty.domain.reviews import ReviewDecision


class MemoryPrograms:
    """The program port in a dictionary."""

    def __init__(self, *programs: Program) -> None:
        self.programs = {program.slug: program for program in programs}

    def load(self, slug: ProgramSlug) -> Program | None:
        return self.programs.get(slug)

    def create(self, program: Program) -> None:
        if program.slug in self.programs:
            raise Conflict("There is a program with this slug already.", code="program_exists")
        self.programs[program.slug] = program

    def save_connection(self, slug: ProgramSlug, connection: Connection) -> None:
        self.programs[slug] = replace(self.programs[slug], connection=connection)


class MemoryDecisions:
    """The decision port in a dictionary."""

    def __init__(self) -> None:
        self.decisions: dict[tuple[ProgramSlug, str], ReviewDecision] = {}

    def save(self, program: ProgramSlug, decision: ReviewDecision) -> None:
        self.decisions[(program, decision.review_key)] = decision

    def load(self, program: ProgramSlug, review_key: str) -> ReviewDecision | None:
        return self.decisions.get((program, review_key))
