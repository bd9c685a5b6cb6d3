"""Attend to the members of one shard that are due: expire, activate, release, warn, celebrate.

The index says who is due; what that means is decided on the member as it is, in one ledger command each. So sweeps may
overlap, repeat or die half-way: what was done is not due any more. A member that cannot be attended to is passed over,
reported, and due again in the next sweep; it never holds up its shard (the cursor goes past it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from loyalty.contracts.sweeps import SweepShard
from loyalty.domain.errors import NotFound, Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.ports import Clock, DueIndex, DueMember, MessageQueue, ProgramStore, QueueMessage
from loyalty.services.posting import Ledger

PAGE = 100
"""Due members read from the index at a time."""

LATE = timedelta(hours=1)
"""A member who waits longer than sweeps are apart is looked at closely before it counts as late."""


@dataclass(slots=True)
class Swept:
    """What became of the due members of one shard; ``lag_seconds`` is of those that could be attended to."""

    shard: int
    due: int = 0
    acted: int = 0
    skipped: int = 0
    failed: int = 0
    lag_seconds: int = 0
    continues: bool = False

    @property
    def message(self) -> str:
        """What happened."""
        return "shard swept" if not self.continues else "shard swept in part"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "DueMembers": self.due,
            "DueActs": self.acted,
            "DueSkipped": self.skipped,
            "DueFailed": self.failed,
            "DueLagSeconds": self.lag_seconds,
        }

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"shard": self.shard}


@dataclass(frozen=True, slots=True)
class SweepDue:
    """The worker that sweeps a shard. ``failed`` is told of each member that could not be attended to, and why."""

    programs: ProgramStore
    ledger: Ledger
    index: DueIndex
    queue: MessageQueue
    clock: Clock
    failed: Callable[[DueMember, Exception], None]

    def __call__(self, message: str, *, seconds: float) -> Swept:
        """Attend to everybody a message (a ``SweepShard``) asks for; what is left after ``seconds`` goes on in another.

        Raises:
            Invalid: the message cannot be read.
            Transient: storage is out of reach; sweeping the shard again is safe.
        """
        work = SweepShard.read(message)
        stop_at = self.clock.now() + timedelta(seconds=seconds)
        report, reached = Swept(work.shard), work.after
        while page := self.index.due(work.shard, work.until, after=reached, limit=PAGE):
            # Anew for each page: terms may change while a shard is swept.
            known: dict[ProgramSlug, Program | None] = {}
            for member in page:
                if self.clock.now() >= stop_at:
                    rest = work.model_copy(update={"after": reached})
                    self.queue.send([QueueMessage(rest.model_dump_json())])
                    report.continues = True
                    return report
                report.due += 1
                self._attend(report, known, member)
                reached = member.position
        return report

    def _lag(self, member: DueMember) -> int:
        """How many seconds a member has waited. Points given with little time left fell due in the past already."""
        now, since = self.clock.now(), member.due_at
        if now - since > LATE:
            store = self.ledger.store
            found = store.find(member.program, member.member_id)
            newest = store.entry(member.program, member.member_id, found.version) if isinstance(found, Member) else None
            since = max(since, newest.recorded_at) if newest else since
        return int((now - since).total_seconds())

    def _attend(self, report: Swept, known: dict[ProgramSlug, Program | None], member: DueMember) -> None:
        try:
            if member.program not in known:
                known[member.program] = self.programs.load(member.program)
            waited = self._lag(member)
            acts = self._acts(known[member.program], member)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - one member must not hold up its shard; it is told and due again
            report.failed += 1
            self.failed(member, error)
        else:
            report.lag_seconds = max(report.lag_seconds, waited)
            report.acted += acts
            report.skipped += not acts

    def _acts(self, program: Program | None, member: DueMember) -> int:
        if program is None:
            raise NotFound("The member's program does not exist.", program=member.program)
        return self.ledger.attend(program, member.member_id) or self.index.correct(program, member.member_id)
