"""Bring profiles in Klaviyo to the newest state of their members.

A member whose state changed is marked in the outbox, in the same transaction. One worker per program at a time, which
the FIFO queue sees to, takes the marks, those owed longest first, and sends the state as it is at that moment. A mark
goes only if the member is still at the version that was sent; a change in between keeps it, and the member is sent
again. So whatever was sent when, a profile ends at the newest state (R37).

As with events, nothing is sent before the first full sync or while access is lost; marks wait, messages do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.connection_ports import ConnectionNotes
from loyalty.domain.errors import Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost, KlaviyoRefused
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.domain.telling import profile_of
from loyalty.ports import Clock, Klaviyo, KlaviyoApi, MessageQueue, Outbox, ProgramStore
from loyalty.services.relay_outbox import wake_up

PAGE = 100
"""Members whose newest state is read at a time."""


@dataclass(slots=True)
class ProfilesDelivered:
    """What became of a program's owed profiles; ``trouble`` is why the rest has to wait."""

    program: ProgramSlug
    tally: Counter[str] = field(default_factory=Counter)
    trouble: Exception | None = None

    @property
    def message(self) -> str:
        """What happened."""
        return "profiles delivered" if self.trouble is None else "profiles interrupted"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "ProfilesSent": self.tally["sent"],
            "ProfilesRefused": self.tally["refused"],
            "ProfilesWithoutAddress": self.tally["without_address"],
            "ProfileRunsPaused": self.tally["paused"],
            "ProfileRunsContinued": self.tally["continued"],
        }

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program}

    @property
    def retry_after(self) -> int | None:
        """Seconds after which the rest may be tried, if somebody named a time."""
        return self.trouble.retry_after if isinstance(self.trouble, Transient) else None


@dataclass(frozen=True, slots=True)
class DeliverProfiles:
    """The worker of the profiles lane."""

    programs: ProgramStore
    outbox: Outbox
    klaviyo: Klaviyo
    queue: MessageQueue
    clock: Clock
    notes: ConnectionNotes

    def __call__(self, slug: ProgramSlug, *, until: datetime) -> ProfilesDelivered:
        """Send a program's owed profiles; what is left at ``until`` is taken up by a message of its own.

        Errors end the run and stand in the report; what was not sent stays owed.
        """
        report = ProfilesDelivered(slug)
        try:
            self._deliver(report, until)
        except KlaviyoAccessLost:
            report.tally["paused"] += 1
        except Exception as trouble:  # noqa: BLE001 - told in the report, beside what was done before
            report.trouble = trouble
        if report.tally["sent"]:
            self.notes.succeeded(slug, self.clock.now())
        return report

    def _deliver(self, report: ProfilesDelivered, until: datetime) -> None:
        program = self.programs.load(report.program)
        if not (program and program.connection and program.connection.is_sending):
            report.tally["paused"] += 1
            return
        api: KlaviyoApi | None = None
        for member in self._owed(program.slug):
            now = self.clock.now()
            if now >= until:
                self.queue.send([wake_up(program.slug, f"more-{now.timestamp()}")])
                report.tally["continued"] += 1
                return
            api = api or self.klaviyo.open(program)
            report.tally[self._settle(api, program, member)] += 1

    def _owed(self, slug: ProgramSlug) -> Iterator[Member]:
        """Members with an owed profile, each in its newest state, until none is left.

        The index lags behind the marks. So a member that was handled shows up again now and then; unless it changed
        meanwhile that is an old view, and when a page holds nothing else, the rest was handled too.
        """
        handled: dict[MemberId, int] = {}
        while True:
            page = self.outbox.owed_profiles(slug, limit=PAGE + len(handled))
            members = self.outbox.members(slug, page)
            fresh = [members[each] for each in page if each in members and handled.get(each) != members[each].version]
            if not fresh:
                return
            for member in fresh:
                handled[member.member_id] = member.version
                yield member

    def _settle(self, api: KlaviyoApi, program: Program, member: Member) -> str:
        profile = profile_of(program, member)
        if profile is None:
            self.outbox.clear_profile(program.slug, member.member_id, member.version)
            return "without_address"
        try:
            api.import_profile(profile)
        except KlaviyoRefused as refused:
            self.outbox.refuse_profile(program.slug, member.member_id, member.version, refused.reason)
            return "refused"
        self.outbox.clear_profile(program.slug, member.member_id, member.version)
        return "sent"
