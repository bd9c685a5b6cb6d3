"""The due index over the in-memory ledger."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from loyalty.adapters.dynamodb import keys
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.due import next_due
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.ports import DueMember
from tests.fakes.memory_ledger import MemoryLedger

shard_of = cache(keys.shard)


class MemoryDueIndex:
    """Members by the due time the ledger keeps for them, in ``shards`` shards; any number of threads may use it."""

    def __init__(self, ledger: MemoryLedger, shards: int = 1) -> None:
        self.ledger = ledger
        self.shards = shards
        self.reads = 0

    def due(self, shard: int, until: datetime, *, after: str, limit: int) -> list[DueMember]:
        self.reads += 1
        found = [
            DueMember(program, member_id, due_at, keys.due_sk(program, member_id, due_at))
            for (program, member_id), due_at in self.ledger.due_times()
            if shard_of(member_id, self.shards) == shard and due_at <= until
        ]
        return sorted((each for each in found if each.position > after), key=lambda each: each.position)[:limit]

    def correct(self, program: Program, member_id: MemberId) -> int:
        member = self.ledger.stored.get((program.slug, member_id))
        due_at = next_due(member, program.terms) if isinstance(member, Member) else None
        if due_at:
            self.ledger.due[(program.slug, member_id)] = due_at
        else:
            self.ledger.due.pop((program.slug, member_id), None)
        return 0
