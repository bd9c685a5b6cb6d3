"""What the API answers about replays of events: who may ask, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loyalty.contracts.forms import filled_in
from loyalty.contracts.replays import MAX_BYTES, ReplayForm, moment_of, replay_document
from loyalty.contracts.strict_json import read_json
from loyalty.domain.api_keys import Scope
from loyalty.domain.program import Program
from loyalty.domain.replay import replay_of
from loyalty.ports import Clock
from loyalty.services.admit_caller import AdmitCaller, Caller
from loyalty.services.replay_events import BeginReplay


@dataclass(frozen=True, slots=True)
class ServeReplays:
    """The replay part of the API."""

    admit: AdmitCaller
    begin_replay: BeginReplay
    clock: Clock

    def begin(self, slug: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """Begin a replay; how it is.

        Raises:
            Rejected: the caller may not, the range or a type is wrong, or another replay is running.
        """
        program = self._admitted(slug, headers)
        form: ReplayForm = filled_in(ReplayForm, read_json(body, MAX_BYTES), "replay")
        asked = replay_of(
            program.slug,
            moment_of(form.from_),
            moment_of(form.to),
            types=frozenset(form.types or ()),
            off=program.events_off,
            backfill=form.backfill,
            now=self.clock.now(),
        )
        return replay_document(self.begin_replay(program, asked))

    def show(self, slug: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """How the newest replay is.

        Raises:
            NotFound: there was none.
        """
        return replay_document(self.begin_replay.newest(self._admitted(slug, headers)))

    def _admitted(self, slug: str, headers: Mapping[str, str]) -> Program:
        return self.admit(Caller.of(headers), slug, Scope.ADMIN).program
