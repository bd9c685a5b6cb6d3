"""A ledger store whose caller dies or is overtaken at a chosen moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import CommandKey
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.ports import Claim, KeyRecord, LedgerStore, Plan, Redirect

Answer = TypeVar("Answer")


class Crash(Exception):
    """The process ends here; nobody hears the answer."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong: at which call of the store, counted from 1, and before or after it took effect."""

    call: int
    moment: Literal["before", "after"]
    error: Exception


class TroubledLedger:
    """The port, handing every call on to a real store, and counting the commits that took effect."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._trouble: Trouble | None = None
        self._calls = 0
        self._overtaking: Callable[[], None] | None = None
        self.commits = 0
        self.overtaken: Plan | None = None

    def expect(self, trouble: Trouble | None, overtaking: Callable[[], None] | None = None) -> None:
        """Start counting anew; ``overtaking`` is done by somebody else just before the next commit.

        What was about to be committed is then ``overtaken``.
        """
        self._trouble, self._overtaking = trouble, overtaking
        self._calls = self.commits = 0
        self.overtaken = None

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        return self._through(lambda: self._store.find(program, member_id))

    def claimed_by(self, program: Program, kind: str, value: str) -> MemberId | None:
        return self._through(lambda: self._store.claimed_by(program, kind, value))

    def entry(self, program: ProgramSlug, member_id: MemberId, seq: int) -> Entry | None:
        return self._through(lambda: self._store.entry(program, member_id, seq))

    def journal(self, program: ProgramSlug, member_id: MemberId, *, after: int = 0) -> Iterator[Entry]:
        return iter(self._through(lambda: list(self._store.journal(program, member_id, after=after))))

    def latest(self, program: ProgramSlug, member_id: MemberId, *, before: int | None, limit: int) -> list[Entry]:
        return self._through(lambda: self._store.latest(program, member_id, before=before, limit=limit))

    def record(self, program: ProgramSlug, key: CommandKey) -> KeyRecord | None:
        return self._through(lambda: self._store.record(program, key))

    def forget_addresses(self, program: Program, claims: Iterable[Claim], redirects: Iterable[MemberId]) -> None:
        self._through(lambda: self._store.forget_addresses(program, claims, redirects))

    def forget_words(self, entry: Entry) -> None:
        self._through(lambda: self._store.forget_words(entry))

    def commit(self, plan: Plan) -> None:
        def commit() -> None:
            self._store.commit(plan)
            self.commits += 1

        overtaking, self._overtaking = self._overtaking, None
        if overtaking:
            self.overtaken = plan
            overtaking()
        self._through(commit)

    def _through(self, call: Callable[[], Answer]) -> Answer:
        self._calls += 1
        trouble = self._trouble if self._trouble and self._trouble.call == self._calls else None
        if trouble and trouble.moment == "before":
            raise trouble.error
        answer = call()
        if trouble:
            raise trouble.error
        return answer
