"""Open a program: the operator's first step for a new merchant."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.domain.errors import Conflict, Invalid, Rejected
from loyalty.domain.identity import program_slug
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from loyalty.ports import Clock, ProgramStore, Randomness

LONGEST_NAME = 100

WARNING_DAYS = (30, 3)
"""Thresholds of a new program's expiry warnings: the warning and the last chance (R72)."""


@dataclass(frozen=True, slots=True)
class OpenProgram:
    """Opens programs."""

    programs: ProgramStore
    clock: Clock
    randomness: Randomness

    def __call__(self, slug: str, name: str, timezone: str = "UTC") -> Program:
        """Store a program with the default settings and a secret of its own for member ids.

        ``timezone`` is an IANA name.

        Raises:
            Invalid: slug or name are malformed.
            Rejected: ``program_exists``, the slug is taken.
        """
        name = name.strip()
        if not 0 < len(name) <= LONGEST_NAME:
            raise Invalid(f"A program's name is 1 to {LONGEST_NAME} characters.", code="invalid_name")
        program = Program(
            slug=program_slug(slug),
            name=name,
            id_key=self.randomness.salt(),
            created_at=self.clock.now(),
            terms=Terms(timezone=timezone, warning_days=WARNING_DAYS),
        )
        try:
            self.programs.create(program)
        except Conflict as taken:
            raise Rejected("There is a program with this slug already.", code="program_exists") from taken
        return program
