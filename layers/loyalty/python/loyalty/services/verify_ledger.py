"""Check a program's ledger from the journal up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.verify import Finding
from loyalty.domain.program import Program
from loyalty.ports import Audit, MemberReport


@dataclass(slots=True)
class Totals:
    """What all journals of a program add up to."""

    members: int = 0
    entries: int = 0
    findings: int = 0
    amounts: Amounts = field(default_factory=Amounts)

    def add(self, report: MemberReport) -> None:
        """Count one member's report in."""
        self.members += 1
        self.entries += report.entries
        self.findings += len(report.findings)
        self.amounts += report.amounts


@dataclass(frozen=True, slots=True)
class VerifyLedger:
    """Replays journals and compares everything stored with them."""

    audit: Audit

    def members(self, program: Program) -> Iterator[MemberReport]:
        """One report a member, as they are checked."""
        for member_id in self.audit.member_ids(program.slug):
            yield self.audit.check(program, member_id)

    def strays(self, program: Program) -> Iterator[Finding]:
        """Items that belong to no member."""
        return self.audit.strays(program)
