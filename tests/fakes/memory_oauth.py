"""What connecting needs, in memory: attempts, tickets, account claims, the app, notices."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from loyalty.connection_ports import AccountClaim, LastSeen
from loyalty.delivery_ports import Sent
from loyalty.domain.connection import Connection
from loyalty.domain.errors import Conflict, Rejected
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.oauth import Attempt, Ticket
from loyalty.domain.program import Program
from loyalty.domain.reconciliation import Reconciliation
from tests.fakes.memory_programs import MemoryPrograms


class MemoryOAuthRecords:
    """The records port in dictionaries."""

    def __init__(self, programs: MemoryPrograms) -> None:
        self._programs = programs
        self.attempts: dict[str, tuple[Attempt, datetime]] = {}
        self.used: set[str] = set()
        self.tickets: dict[str, tuple[Ticket, datetime]] = {}
        self.claims: dict[str, AccountClaim] = {}
        self._lock = threading.Lock()

    def keep_attempt(self, attempt: Attempt, until: datetime) -> None:
        self.attempts[attempt.state] = (attempt, until)

    def take_attempt(self, state: str, browser: str, now: datetime) -> Attempt:
        with self._lock:
            if state not in self.attempts:
                raise Rejected("unknown", code="unknown_attempt")
            attempt, until = self.attempts[state]
            if attempt.browser != browser:
                raise Rejected("another browser", code="another_browser")
            if state in self.used:
                raise Rejected("used", code="attempt_used")
            if until <= now:
                raise Rejected("expired", code="attempt_expired")
            self.used.add(state)
            return attempt

    def keep_ticket(self, ticket: Ticket, until: datetime) -> None:
        self.tickets[ticket.digest] = (ticket, until)

    def ticket(self, digest: str, now: datetime) -> Ticket | None:
        ticket, until = self.tickets.get(digest, (None, now))
        return ticket if until > now else None

    def claim_of(self, account_id: str) -> AccountClaim | None:
        return self.claims.get(account_id)

    def establish(self, program: ProgramSlug, connection: Connection, seen: AccountClaim | None) -> Connection:
        with self._lock:
            if self.claims.get(connection.account_id) != seen:
                raise Conflict("claimed", code="connection_changed")
            stored = self._programs.save_connection(program, connection)
            self.claims[connection.account_id] = AccountClaim(program, seen.version + 1 if seen else 1)
            return stored


@dataclass
class MemoryNotices:
    """Keeps what people would have been told."""

    told: list[tuple[ProgramSlug, str]] = field(default_factory=list)
    trouble: Exception | None = None

    def access_lost(self, program: Program, why: str) -> None:
        if self.trouble:
            raise self.trouble
        self.told.append((program.slug, why))


@dataclass(frozen=True)
class MemoryApp:
    """Our app as the fake Klaviyo knows it."""

    client_id: str
    client_secret: str = field(repr=False)
    url: str = "https://loyalty.klaviyo-demo.com/v1"

    def client(self) -> tuple[str, str]:
        return self.client_id, self.client_secret

    def public_url(self) -> str:
        return self.url


class MemoryReconciliations:
    """Remembers how far reviews were looked through."""

    def __init__(self) -> None:
        self.states: dict[ProgramSlug, Reconciliation] = {}

    def reconciliation(self, program: ProgramSlug) -> Reconciliation | None:
        return self.states.get(program)

    def save_reconciliation(self, program: ProgramSlug, state: Reconciliation) -> Reconciliation:
        before = self.states.get(program)
        if state.version != (before.version if before else 0):
            raise Conflict("changed", code="reconciliation_changed")
        self.states[program] = replace(state, version=state.version + 1)
        return self.states[program]


class MemorySentEvents:
    """Counts by event type."""

    def __init__(self) -> None:
        self.counted: dict[ProgramSlug, dict[str, Sent]] = {}

    def add(self, program: ProgramSlug, events: Mapping[str, int], at: datetime) -> None:
        known = self.counted.setdefault(program, {})
        for each, number in events.items():
            known[each] = Sent(number + (known[each].events if each in known else 0), at)

    def of(self, program: ProgramSlug) -> dict[str, Sent]:
        return dict(self.counted.get(program, {}))


class MemoryNotes:
    """Remembers when connections last worked."""

    def __init__(self) -> None:
        self.seen: dict[ProgramSlug, LastSeen] = {}

    def succeeded(self, program: ProgramSlug, at: datetime) -> None:
        self.seen[program] = replace(self.last_seen(program), success_at=at)

    def delivered(self, program: ProgramSlug, at: datetime) -> None:
        self.seen[program] = replace(self.last_seen(program), delivery_at=at)

    def last_seen(self, program: ProgramSlug) -> LastSeen:
        return self.seen.get(program, LastSeen())
