"""The first full sync: until it has run, nothing live is sent (R27, R30).

A program without members has nothing to sync, so it is done at once. With members it stays to be started: nothing
here claims that Klaviyo has profiles which it does not have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from loyalty.domain.connection import FirstSync
from loyalty.domain.errors import NotFound, Rejected
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Audit, ProgramStore


@dataclass(frozen=True, slots=True)
class StartFirstSync:
    """Starts the first sync of a program."""

    programs: ProgramStore
    members: Audit

    def __call__(self, slug: ProgramSlug) -> FirstSync:
        """How far the first sync is after this: done where there is nobody to sync.

        Raises:
            NotFound: there is no such program.
            Rejected: ``not_connected``, there is nothing to sync with.
        """
        program = self.programs.load(slug)
        if program is None:
            raise NotFound("There is no such program.", code="unknown_program", program=slug)
        connection = program.connection
        if connection is None or not connection.is_owed:
            raise Rejected("The program is not connected to Klaviyo.", code="not_connected")
        if connection.first_sync is not FirstSync.NOT_STARTED or self._has_members(slug):
            return connection.first_sync
        self.programs.save_connection(slug, replace(connection, first_sync=FirstSync.DONE))
        return FirstSync.DONE

    def _has_members(self, slug: ProgramSlug) -> bool:
        return next(iter(self.members.member_ids(slug)), None) is not None
