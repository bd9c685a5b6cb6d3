"""Attend to everybody in a program whose terms were changed, so that changed terms hold from then on (R72, R183).

The due index knows members by the terms of their last change. Who is due earlier under the new ones would be found too
late by a sweep; here everybody is looked at once, in the order of ids and in as many messages as it takes. Running it
twice, or beside sweeps, does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from loyalty.contracts.sweeps import ProgramToSettle
from loyalty.domain.errors import NotFound, Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.program import Program
from loyalty.ports import Clock, DueIndex, MessageQueue, ProgramStore, QueueMessage
from loyalty.profile_ports import Roster
from loyalty.services.posting import Ledger
from loyalty.services.sweep_due import SweepDue, Swept

PAGE = 100
"""Members read from the list at a time."""


@dataclass(slots=True)
class ProgramSettled:
    """What became of the members one message asked for."""

    program: str
    members: int = 0
    acted: int = 0
    failed: int = 0
    continues: bool = False

    @property
    def message(self) -> str:
        """What happened."""
        return "program settled" if not self.continues else "program settled in part"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {"SettledMembers": self.members, "DueActs": self.acted, "DueFailed": self.failed}

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program}


@dataclass(frozen=True, slots=True)
class SettleProgram:
    """The worker that settles a program. ``failed`` is told of each member that could not be attended to, and why."""

    programs: ProgramStore
    ledger: Ledger
    index: DueIndex
    roster: Roster
    queue: MessageQueue
    clock: Clock
    failed: Callable[[ProgramSlug, MemberId, Exception], None]

    def __call__(self, work: ProgramToSettle, *, seconds: float) -> ProgramSettled:
        """Attend to everybody the message asks for; what is left after ``seconds`` goes on in another.

        Raises:
            NotFound: the program does not exist.
            Transient: storage is out of reach; settling again is safe.
        """
        stop_at = self.clock.now() + timedelta(seconds=seconds)
        slug = ProgramSlug(work.program)
        report, reached = ProgramSettled(slug), work.after
        while page := self.roster.ids(slug, after=reached, limit=PAGE):
            # Anew for each page: terms may change again while members are settled.
            program = self.programs.load(slug)
            if program is None:
                raise NotFound("The program to settle does not exist.", program=slug)
            for member_id in page:
                if self.clock.now() >= stop_at:
                    rest = work.model_copy(update={"after": reached})
                    self.queue.send([QueueMessage(rest.model_dump_json())])
                    report.continues = True
                    return report
                self._attend(report, program, member_id)
                reached = member_id
        return report

    def _attend(self, report: ProgramSettled, program: Program, member_id: MemberId) -> None:
        try:
            acts = self.ledger.attend(program, member_id) or self.index.correct(program, member_id)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - one member must not hold up the others; it is told
            report.failed += 1
            self.failed(program.slug, member_id, error)
        else:
            report.members += 1
            report.acted += acts


@dataclass(frozen=True, slots=True)
class AttendToMessage:
    """What is to be done about a message of sweeps."""

    sweep: SweepDue
    settle: SettleProgram

    def __call__(self, message: str, *, seconds: float) -> Swept | ProgramSettled:
        """Settle a program, or sweep a shard.

        Raises:
            Invalid: the message cannot be read.
            NotFound: the program to settle does not exist.
            Transient: storage is out of reach; the same message again is safe.
        """
        if work := ProgramToSettle.read(message):
            return self.settle(work, seconds=seconds)
        return self.sweep(message, seconds=seconds)
