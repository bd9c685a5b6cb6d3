"""Proof of a journal: numbers without gaps, an unbroken hash chain, balances that follow from each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.apply import ERASED, apply
from loyalty.domain.ledger.entry import Entry, chain_hash
from loyalty.domain.ledger.lots import total
from loyalty.domain.ledger.member import Member


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the journal says: in which item, at which attribute (empty for the item as a whole)."""

    item: str
    attribute: str
    message: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a journal proves: the member it describes, as far as it could be followed, and what is wrong with it."""

    member: Member
    findings: tuple[Finding, ...]


def prove(program: ProgramSlug, member_id: MemberId, journal: Iterable[Entry]) -> Proof:
    """Follow a journal from its first entry and check every promise it makes."""
    entries = list(journal)
    forgotten = any(entry.effect.topic == ERASED for entry in entries)
    member = Member(program, member_id)
    findings: list[Finding] = []
    for expected, entry in enumerate(entries, start=1):
        found = _entry_findings(member, entry, expected, forgotten=forgotten)
        findings += found
        try:
            member = apply(member, entry)
        except (KeyError, ValueError) as error:
            findings.append(Finding(_name(entry), "effect", f"does not fit the state before it: {error}"))
            break
        findings += _state_findings(member, entry)
    return Proof(member, tuple(findings))


def _entry_findings(member: Member, entry: Entry, expected: int, *, forgotten: bool) -> list[Finding]:
    name, findings = _name(entry), []
    if entry.seq != expected:
        findings.append(Finding(name, "seq", f"entry {expected} is expected here"))
    if (entry.program, entry.member_id) != (member.program, member.member_id):
        findings.append(Finding(name, "member_id", "belongs to another member"))
    if entry.previous_hash != member.last_hash:
        findings.append(Finding(name, "previous_hash", "does not continue the chain"))
    if entry.hash != chain_hash(entry):
        findings.append(Finding(name, "hash", "does not match the entry's content"))
    if entry.after != member.amounts + entry.effect.change:
        findings.append(Finding(name, "after", "is not the state before plus the change"))
    if entry.private is not None and entry.private.digest != entry.private_digest:
        findings.append(Finding(name, "private", "does not match its digest"))
    if entry.private is None and entry.private_digest and not forgotten:
        findings.append(Finding(name, "private", "is missing, and the member was not erased"))
    return findings


def _state_findings(member: Member, entry: Entry) -> list[Finding]:
    name, amounts = _name(entry), member.amounts
    findings = []
    if not amounts.is_conserved:
        findings.append(Finding(name, "effect", "makes points appear or vanish"))
    if total(member.lots) != max(0, amounts.available):
        findings.append(Finding(name, "effect", "leaves lots that are not the available points"))
    if amounts.pending != sum(pending.points for pending in member.pendings.values()):
        findings.append(Finding(name, "effect", "leaves pendings that are not the pending points"))
    if amounts.held != sum(hold.points for hold in member.holds.values()):
        findings.append(Finding(name, "effect", "leaves holds that are not the held points"))
    return findings


def _name(entry: Entry) -> str:
    return f"entry {entry.seq}"
