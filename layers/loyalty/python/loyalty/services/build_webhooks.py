"""Webhook actions for a program's flows: ready to paste, or as a draft flow in the program's Klaviyo account."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from loyalty.connection_ports import KlaviyoApp
from loyalty.contracts.builder import BuilderForm, BuiltWebhook, build_webhook, draft_of, trigger_of
from loyalty.contracts.flow_drafts import FlowDraftDocument, FlowDraftForm
from loyalty.contracts.forms import filled_in
from loyalty.contracts.strict_json import read_json
from loyalty.delivery_ports import CallPermits
from loyalty.domain.adjustments import Direction
from loyalty.domain.api_keys import OPERATOR, Scope
from loyalty.domain.call_windows import Window
from loyalty.domain.connection import Connection, ConnectionStatus
from loyalty.domain.errors import Misconfigured, Rejected, StateForbids, Transient
from loyalty.domain.klaviyo_errors import KlaviyoForbidden
from loyalty.domain.program import Program
from loyalty.flow_ports import FlowDrafts
from loyalty.ports import Klaviyo
from loyalty.services.admit_caller import AdmitCaller, Caller

MOST_BYTES = 10_000

REVIEW_METRIC = "Submitted review"
"""Klaviyo Reviews' metric of a review with a text (docs/klaviyo.md 6)."""

DRAFTING = (Window(1, 60),)
"""A flow of one name is created at most once in a minute, twice what a request may take: of requests that come at the
same moment one creates it, and the others find it when they come again."""

FLOW_SCOPES = frozenset({"flows:read", "flows:write", "metrics:read"})


@dataclass(frozen=True, slots=True)
class FlowDrafted:
    """A flow was created, or found."""

    ids: Mapping[str, str | int]
    counts: Mapping[str, int]

    @property
    def message(self) -> str:
        """What happened."""
        return "flow drafted"


Drafted = tuple[FlowDraftDocument, FlowDrafted]
"""What the caller is told, and what is reported."""


@dataclass(frozen=True, slots=True)
class BuildWebhooks:
    """Builds webhook actions."""

    admit: AdmitCaller
    app: KlaviyoApp
    klaviyo: Klaviyo
    permits: CallPermits

    def show(self, slug: str, headers: Mapping[str, str], query: Mapping[str, str], *, base_url: str) -> BuiltWebhook:
        """A webhook action to paste, with the key that the caller presented; ``base_url`` is how the caller came in.

        Raises:
            Rejected: ``invalid_query``; also as ``AdmitCaller`` says.
        """
        caller = Caller.of(headers)
        admitted = self.admit(caller, slug, Scope.BALANCE_WRITE)
        form: BuilderForm = filled_in(BuilderForm, BuilderForm.facts(query), "query")
        return build_webhook(
            admitted.program,
            self._root(base_url),
            "" if admitted.actor == OPERATOR else caller.key,
            direction=Direction(form.direction),
            idea=form.idea,
            amount=form.amount,
            step=form.step or "",
        )

    def draft(self, slug: str, headers: Mapping[str, str], body: bytes, *, base_url: str) -> Drafted:
        """Create the flow around a webhook action as a draft, unless a flow of its name is there already.

        Klaviyo makes a second flow when asked twice, so the name is looked up first (docs/klaviyo.md 9): asking again
        after an answer that got lost finds the flow that was made.

        Raises:
            StateForbids: ``oauth_required`` (R14), ``not_connected``, ``access_lost`` or ``reconnect_required``.
            Rejected: ``invalid_body``, ``trigger_missing``, ``unknown_metric`` or ``klaviyo_refused``.
            Transient: Klaviyo is out of reach or its limit is used up; ``flow_draft_pending``, somebody has just asked
                for a flow of this name.
        """
        program = self.admit(Caller.of(headers), slug, Scope.ADMIN).program
        _require_oauth(program)
        form: FlowDraftForm = filled_in(FlowDraftForm, read_json(body, MOST_BYTES), "body")
        built = build_webhook(
            program,
            self._root(base_url),
            form.api_key or "",
            direction=Direction(form.direction),
            idea=form.idea,
            amount=form.amount,
            step=form.step or "",
        )
        try:
            return self._drafted(program, form, built)
        except KlaviyoForbidden as forbidden:
            raise _reconnect(sorted(FLOW_SCOPES)) from forbidden

    def _drafted(self, program: Program, form: FlowDraftForm, built: BuiltWebhook) -> Drafted:
        klaviyo = self.klaviyo.open(program)
        name = form.name or built.flow.data["attributes"]["name"]
        flow_id, created = klaviyo.flow_id(name), False
        if not flow_id:
            trigger_id = _trigger_id(klaviyo, form)
            self._alone(program, name)
            flow_id, created = klaviyo.create_flow(draft_of(built, name, trigger_id)), True
        document = FlowDraftDocument(flow_id=flow_id, name=name, created=created, warnings=built.warnings)
        return document, FlowDrafted({"program": program.slug, "flow_id": flow_id}, {"FlowsDrafted": int(created)})

    def _alone(self, program: Program, name: str) -> None:
        operation = f"draft_flow-{hashlib.sha256(name.encode()).hexdigest()}"
        if wait := self.permits.take(program.slug, operation, DRAFTING):
            message = "A flow of this name is being drafted, or was refused a moment ago; ask again."
            raise Transient(message, code="flow_draft_pending", retry_after=math.ceil(wait))

    def _root(self, base_url: str) -> str:
        """The API's root as Klaviyo reaches it: as the operator says, else as the caller reached it."""
        try:
            return self.app.public_url()
        except Misconfigured:
            return base_url


def _trigger_id(klaviyo: FlowDrafts, form: FlowDraftForm) -> str:
    match trigger_of(form.idea):
        case "list":
            return _given(form.list_id, "list_id")
        case "segment":
            return _given(form.segment_id, "segment_id")
        case "metric":
            usual = REVIEW_METRIC if form.idea in {"review", "submit_review"} else None
            name = _given(form.metric or usual, "metric")
            return klaviyo.metric_id(name) or _no_metric(name)
        case _:
            return ""


def _given(value: str | None, field: str) -> str:
    if value is None:
        raise Rejected(f"Name what starts this flow, in the field {field}.", code="trigger_missing", field=field)
    return value


def _no_metric(name: str) -> str:
    message = (
        "The account has no metric of this name yet; Klaviyo makes it with its first event. "
        "POST .../klaviyo/sample-events sends one of each event of ours."
    )
    raise Rejected(message, code="unknown_metric", metric=name)


def _require_oauth(program: Program) -> None:
    connection = program.connection
    if connection is not None and connection.needs_upgrade:
        message = "Flows are created over a connection by OAuth; connect again through POST .../klaviyo/connect."
        raise StateForbids(message, code="oauth_required")
    if connection is None or not connection.is_owed:
        raise StateForbids("The program is not connected to Klaviyo.", code="not_connected")
    if connection.status is ConnectionStatus.ACCESS_LOST:
        raise StateForbids("Access to Klaviyo is lost; connect again first.", code="access_lost")
    if lacking := _lacking(connection):
        raise _reconnect(lacking)


def _lacking(connection: Connection) -> list[str]:
    return sorted(FLOW_SCOPES & set(connection.missing_scopes))


def _reconnect(scopes: list[str]) -> StateForbids:
    message = "Klaviyo does not let this connection create flows; connect again and allow every permission."
    return StateForbids(message, code="reconnect_required", missing_scopes=scopes)
