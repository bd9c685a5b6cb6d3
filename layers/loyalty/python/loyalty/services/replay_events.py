"""Go through a program's feed and owe Klaviyo again what a replay asks for: resumable, a page at a time.

A page is owed first, then queued, then noted; whoever dies in between is followed by somebody who does that page again,
which changes nothing. Should the messages get lost, the upkeep finds the entries owed like any others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loyalty.contracts.deliveries import OwedEvent, ReplayStep
from loyalty.delivery_ports import Feed, Replays
from loyalty.domain.errors import Conflict, NotFound, StateForbids
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.domain.program import Program
from loyalty.domain.replay import Replay, ReplayState
from loyalty.ports import Clock, MessageQueue, Outbox, ProgramStore, QueueMessage
from loyalty.services.program_run import ProgramRun

PAGE = 200
"""Entries looked at between two notes of how far it is."""


@dataclass(frozen=True, slots=True)
class BeginReplay:
    """Begins replays, and says how they are."""

    replays: Replays
    queue: MessageQueue

    def __call__(self, program: Program, asked: Replay) -> Replay:
        """Begin a replay; asking for what is running already has it go on where it is.

        Raises:
            StateForbids: ``not_connected``, or ``replay_running`` when another one is.
        """
        if not program.is_connected:
            raise StateForbids("The program is not connected to Klaviyo; connect it first.", code="not_connected")
        running = self.replays.load(program.slug)
        if running is None or running.state is not ReplayState.RUNNING:
            try:
                running = self.replays.save(asked)
            except Conflict:
                running = self.replays.load(program.slug) or asked
        if not running.asks_the_same_as(asked) and running.id != asked.id:
            raise StateForbids("Another replay is running; wait for its end.", code="replay_running")
        self.queue.send([next_step(running)])
        return running

    def newest(self, program: Program) -> Replay:
        """The newest replay of a program.

        Raises:
            NotFound: there was none.
        """
        if (replay := self.replays.load(program.slug)) is None:
            raise NotFound("Nothing was replayed for this program yet.", code="no_replay")
        return replay


@dataclass(slots=True)
class Replayed(ProgramRun):
    """What one run of a replay did; ``trouble`` is why it has to come back."""

    replay: Replay | None = None
    looked: int = 0
    owed: int = 0

    @property
    def message(self) -> str:
        """What happened."""
        return "replay went on" if self.trouble is None else "replay interrupted"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {"ReplayEntriesLookedAt": self.looked, "EventsOwedAgain": self.owed}

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program, "replay": self.replay.id if self.replay else ""}


@dataclass(frozen=True, slots=True)
class ReplayEvents:
    """Works on replays."""

    programs: ProgramStore
    replays: Replays
    feed: Feed
    outbox: Outbox
    queue: MessageQueue
    clock: Clock

    def __call__(self, step: ReplayStep, *, until: datetime) -> Replayed:
        """Go on with a replay as far as the time allows, and have the rest come by a message of its own.

        A step of a replay that is finished, or that somebody else works on, is done with. Errors stand in the report.
        """
        report = Replayed(step.program)
        try:
            replay = self.replays.load(step.program)
            if replay is None or replay.id != step.replay:
                return report
            report.replay = replay
            while report.replay.state is ReplayState.RUNNING:
                if self.clock.now() >= until:
                    self.queue.send([next_step(report.replay)])
                    break
                self._page(report, report.replay)
        except Conflict:
            return report
        except Exception as trouble:  # noqa: BLE001 - told in the report, beside what was done before
            report.trouble = trouble
        return report

    def _page(self, report: Replayed, replay: Replay) -> None:
        now = self.clock.now()
        program = self.programs.load(replay.program)
        if program is None or not program.is_connected:
            report.replay = self.replays.save(replay.stopped(now))
            return
        keys, place = self.feed.of_day(replay.program, replay.day, after=replay.place, limit=PAGE)
        wanted = [entry for entry in self.outbox.entries(replay.program, keys) if replay.wants(entry)]
        self.feed.owe_again(wanted, Delivery(DeliveryState.OWED, now, replay.why))
        owed = [OwedEvent(program=entry.program, member_id=entry.member_id, seq=entry.seq) for entry in wanted]
        if owed:
            self.queue.send([QueueMessage(each.model_dump_json(), group=each.program) for each in owed])
        report.replay = self.replays.save(replay.after_page(len(keys), len(owed), place, now))
        report.looked += len(keys)
        report.owed += len(owed)


def next_step(replay: Replay) -> QueueMessage:
    """The message that has a replay go on."""
    step = ReplayStep(program=replay.program, replay=replay.id)
    return QueueMessage(step.model_dump_json(), group=replay.program)
