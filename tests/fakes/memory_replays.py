"""Replays in memory."""

from __future__ import annotations

from dataclasses import replace

from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.replay import Replay, ReplayState


class MemoryReplays:
    """Keeps each program's newest replay."""

    def __init__(self) -> None:
        self.kept: dict[ProgramSlug, Replay] = {}

    def load(self, program: ProgramSlug) -> Replay | None:
        return self.kept.get(program)

    def save(self, replay: Replay) -> Replay:
        before = self.kept.get(replay.program)
        if replay.version:
            same = before is not None and (before.id, before.version) == (replay.id, replay.version)
        else:
            same = before is None or before.state is not ReplayState.RUNNING
        if not same:
            raise Conflict("The replay changed meanwhile.", code="replay_changed")
        self.kept[replay.program] = replace(replay, version=replay.version + 1)
        return self.kept[replay.program]
