"""Send Klaviyo one sample of every selected event, so that flows can name its metric (R153, docs/klaviyo.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loyalty.contracts.forms import filled_in
from loyalty.contracts.sample_events import MOST_BYTES, SampleEvent, SampleEventsDocument, SampleEventsForm
from loyalty.contracts.strict_json import read_json
from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.errors import Rejected, StateForbids, Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost
from loyalty.domain.oauth import SENDING_SCOPES
from loyalty.domain.program import Program
from loyalty.domain.samples import sample_of, sampled_types
from loyalty.domain.telling import MetricEvent
from loyalty.ports import Clock, Klaviyo
from loyalty.services.admit_caller import AdmitCaller, Caller
from loyalty.services.isolation import outcomes


@dataclass(frozen=True, slots=True)
class SamplesSent:
    """Sample events were sent."""

    program: ProgramSlug
    sent: int

    @property
    def message(self) -> str:
        """What happened."""
        return "sample events sent"

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program}

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {"SampleEventsSent": self.sent}


@dataclass(frozen=True, slots=True)
class SendSampleEvents:
    """Sends them. The journal hears nothing of it, nor do the figures of what was sent."""

    admit: AdmitCaller
    klaviyo: Klaviyo
    clock: Clock

    def __call__(
        self, slug: str, headers: Mapping[str, str], body: bytes, *, until: datetime
    ) -> tuple[SampleEventsDocument, SamplesSent]:
        """Send the samples to the profile of the address asked for; no call to Klaviyo begins after ``until``.

        The first sync need not have run: flows are built before a program goes live, and this is asked for. Sending
        again is safe, whatever became of the answer.

        Raises:
            StateForbids: ``not_connected``, ``access_lost`` or ``reconnect_required``.
            Rejected: ``invalid_body``, or ``klaviyo_refused``; also as ``AdmitCaller`` says.
            Transient: Klaviyo is out of reach or its limit is used up.
        """
        program = self.admit(Caller.of(headers), slug, Scope.ADMIN).program
        form: SampleEventsForm = filled_in(SampleEventsForm, read_json(body, MOST_BYTES), "body")
        _require_sending(program)
        kinds, now = sampled_types(program), self.clock.now()
        events = [sample_of(program, kind, form.email, now) for kind in kinds]
        try:
            self._send(program, events, until)
        except KlaviyoAccessLost as lost:
            raise _access_lost() from lost
        told = tuple(SampleEvent(type=kind.id, metric=event.metric) for kind, event in zip(kinds, events, strict=True))
        return SampleEventsDocument(sent=len(events), events=told), SamplesSent(program.slug, len(events))

    def _send(self, program: Program, events: list[MetricEvent], until: datetime) -> None:
        if not events:
            return
        for settled in outcomes(self.klaviyo.open(program), events, lambda: self._stop_at(until)):
            for event, reason in settled:
                if reason:
                    message = f"Klaviyo refused the sample of {event.metric}: {reason}"
                    raise Rejected(message, code="klaviyo_refused", metric=event.metric)

    def _stop_at(self, until: datetime) -> None:
        if self.clock.now() >= until:
            raise Transient("Klaviyo answers slowly; send the request again.", code="out_of_time")


def _require_sending(program: Program) -> None:
    connection = program.connection
    if connection is None or not connection.is_owed:
        raise StateForbids("The program is not connected to Klaviyo; connect it first.", code="not_connected")
    if connection.status is ConnectionStatus.ACCESS_LOST:
        raise _access_lost()
    if not connection.can_send:
        message = "Klaviyo does not let this connection send events; connect again and allow every permission."
        lacking = sorted(SENDING_SCOPES & set(connection.missing_scopes))
        raise StateForbids(message, code="reconnect_required", missing_scopes=lacking)


def _access_lost() -> StateForbids:
    return StateForbids("Access to Klaviyo is lost; connect again first.", code="access_lost")
