"""The routes of ``program_api``: what each takes from a request, which use case it asks, and how that is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from loyalty.contracts.corrections import FindForm, MergeForm, UndoForm
from loyalty.contracts.forms import filled_in
from loyalty.contracts.idempotency import IDEMPOTENCY_HEADER, read_idempotency_key
from loyalty.contracts.keys import IssuedKeyDocument, KeyDocument, KeyForm, KeysDocument, scopes_of
from loyalty.contracts.members import PAGE, MemberForm
from loyalty.contracts.program_operations import PROGRAM_OPERATIONS
from loyalty.contracts.rule_operations import RULE_OPERATIONS
from loyalty.contracts.settings import (
    EntitlementsForm,
    NewProgramForm,
    OpenedProgramDocument,
    ProgramDocument,
    SettingsForm,
    TechnicalDocument,
    settings_form,
)
from loyalty.domain.api_keys import Scope
from loyalty.domain.ledger.entry import Source
from loyalty.domain.moments import utc_text
from loyalty.domain.program import Program
from loyalty.runtime import http
from loyalty.runtime.calls import Call, Done, etag, told
from loyalty.runtime.observability import report
from loyalty.runtime.rules_api import RulesApi
from loyalty.services.admit_caller import AdmitCaller, Admitted
from loyalty.services.correct_members import CorrectMembers
from loyalty.services.keep_keys import IssuedKey, KeepKeys
from loyalty.services.keep_settings import KeepSettings
from loyalty.services.open_program import OpenProgram
from loyalty.services.read_members import Members


@dataclass(frozen=True, slots=True)
class ProgramApi:
    """What ``program_api`` does, by operation."""

    admit: AdmitCaller
    open_program: OpenProgram
    settings: KeepSettings
    keys: KeepKeys
    members: Members
    corrections: CorrectMembers
    rules: RulesApi

    def create_program(self, call: Call) -> Response[str]:
        """Open a program; the operator's alone."""
        self.admit.operator_only(call.caller)
        form = call.form(NewProgramForm)
        program = self.open_program(form.slug, form.name, form.timezone)
        issued = self.keys.create(program.slug, "First key", [Scope.ADMIN])
        report(Done("program opened", {"program": program.slug, "key_id": issued.key.key_id}))
        document = OpenedProgramDocument(program=self._document(program), api_key=issued.text)
        return told(document, HTTPStatus.CREATED, cache_control="no-store", etag=etag(program))

    def read_settings(self, call: Call, slug: str) -> Response[str]:
        """A program with its settings."""
        program = self._admitted(call, slug, Scope.ADMIN).program
        return told(self._document(program), etag=etag(program))

    def change_settings(self, call: Call, slug: str) -> Response[str]:
        """Replace a program's settings."""
        admitted = self._admitted(call, slug, Scope.ADMIN)
        version = call.version
        form = call.form(SettingsForm)
        program = self.settings(admitted.program, form, version, call.connect_url(slug))
        report(Done("settings changed", {"program": slug, "key_id": admitted.actor, "version": program.version}))
        return told(self._document(program), etag=etag(program))

    def change_entitlements(self, call: Call, slug: str) -> Response[str]:
        """Say what a program's plan includes; the operator's alone."""
        self.admit.operator_only(call.caller)
        program = self._admitted(call, slug, Scope.ADMIN).program
        program = self.settings.include_klaviyo(program, included=call.form(EntitlementsForm).klaviyo)
        report(Done("entitlements changed", {"program": slug, "version": program.version}))
        return told(self._document(program), etag=etag(program))

    def list_keys(self, call: Call, slug: str) -> Response[str]:
        """A program's keys."""
        program = self._admitted(call, slug, Scope.ADMIN).program
        return told(KeysDocument(keys=self._key_documents(program)))

    def create_key(self, call: Call, slug: str) -> Response[str]:
        """Make a key."""
        admitted = self._admitted(call, slug, Scope.ADMIN)
        form = call.form(KeyForm)
        issued = self.keys.create(admitted.program.slug, form.name, scopes_of(form), per_minute=form.per_minute)
        return _issued(admitted, issued)

    def rotate_key(self, call: Call, slug: str, key_id: str) -> Response[str]:
        """Make a key in the place of another, which lives on until it is revoked."""
        admitted = self._admitted(call, slug, Scope.ADMIN)
        return _issued(admitted, self.keys.rotate(admitted.program.slug, key_id))

    def revoke_key(self, call: Call, slug: str, key_id: str) -> Response[str]:
        """Let a key open nothing any more."""
        admitted = self._admitted(call, slug, Scope.ADMIN)
        key = self.keys.revoke(admitted.program.slug, key_id)
        report(Done("key revoked", {"program": slug, "key_id": admitted.actor, "revoked": key.key_id}))
        return told(KeyDocument.of(key))

    def find_member(self, call: Call, slug: str) -> Response[str]:
        """A member by another id than the e-mail address."""
        program = self._admitted(call, slug, Scope.MEMBERS_READ).program
        form: FindForm = filled_in(FindForm, dict(call.query), "query")
        return told(self.members.found(program, external_id=form.external_id, phone=form.phone))

    def read_member(self, call: Call, slug: str, email: str) -> Response[str]:
        """A member's state."""
        program = self._admitted(call, slug, Scope.MEMBERS_READ).program
        return told(self.members.state(program, unquote(email)))

    def change_member(self, call: Call, slug: str, email: str) -> Response[str]:
        """Change a member, or bring one in."""
        admitted = self._admitted(call, slug, Scope.ADMIN)
        key = read_idempotency_key(call.headers.get(IDEMPOTENCY_HEADER))
        form = call.form(MemberForm)
        new, document = self.members.save(admitted.program, unquote(email), form, key=key, actor=admitted.actor)
        ids = {"program": slug, "key_id": admitted.actor, "member_id": document.member_id}
        report(Done("member changed", ids, {"MembersCreated": int(new)}))
        return told(document, HTTPStatus.CREATED if new else HTTPStatus.OK)

    def read_activity(self, call: Call, slug: str, email: str) -> Response[str]:
        """A page of a member's activity log."""
        program = self._admitted(call, slug, Scope.MEMBERS_READ).program
        limit = call.number("limit", PAGE)
        cursor = call.query.get("cursor") or ""
        return told(self.members.activity(program, unquote(email), cursor=cursor, limit=limit))

    def undo_entry(self, call: Call, slug: str, email: str) -> Response[str]:
        """Undo an entry of a member's journal."""
        admitted = self._admitted(call, slug, Scope.ADMIN)
        key = read_idempotency_key(call.headers.get(IDEMPOTENCY_HEADER))
        form = call.form(UndoForm)
        document = self.corrections.undo(
            admitted.program, unquote(email), form, key=key, actor=admitted.actor, source=Source("api")
        )
        ids = {"program": slug, "key_id": admitted.actor, "entry_id": document.entry_id}
        report(Done("entry undone", ids, {"EntriesUndone": int(not document.replayed)}))
        return told(document)

    def merge_member(self, call: Call, slug: str, email: str) -> Response[str]:
        """Let a member go on in another one."""
        admitted = self._admitted(call, slug, Scope.ADMIN)
        form = call.form(MergeForm)
        staying = self.corrections.merge(admitted.program, unquote(email), form, actor=admitted.actor)
        report(Done("members merged", {"program": slug, "key_id": admitted.actor, "member_id": staying}))
        return told(self.members.state(admitted.program, form.into))

    def read_summary(self, call: Call, slug: str, email: str) -> Response[str]:
        """What a member may see."""
        program = self._admitted(call, slug, Scope.MEMBERS_READ).program
        return told(self.members.summary(program, unquote(email)))

    def read_openapi(self, call: Call) -> Response[str]:
        """This API's description; for everybody."""
        from loyalty.contracts.openapi import openapi_json  # noqa: PLC0415 - no other request needs every model

        return http.answered(openapi_json(call.base_url))

    def _admitted(self, call: Call, slug: str, scope: Scope) -> Admitted:
        return self.admit(call.caller, slug, scope)

    def _document(self, program: Program) -> ProgramDocument:
        return ProgramDocument(
            slug=program.slug,
            version=program.version,
            created_at=utc_text(program.created_at),
            settings=settings_form(program),
            entitlements=EntitlementsForm(klaviyo=program.klaviyo_included),
            technical=TechnicalDocument(slug=program.slug, api_keys=self._key_documents(program)),
        )

    def _key_documents(self, program: Program) -> tuple[KeyDocument, ...]:
        return tuple(map(KeyDocument.of, self.keys.all_of(program.slug)))


def resolver(service: Callable[[], ProgramApi]) -> APIGatewayRestResolver:
    """A resolver with every route of this API; ``service`` gives the use cases when a request is there."""
    api = http.api()
    for operation in PROGRAM_OPERATIONS:
        api.route(operation.route, operation.method)(_handler(api, service, operation.operation_id))
    for operation in RULE_OPERATIONS:
        api.route(operation.route, operation.method)(_handler(api, lambda: service().rules, operation.operation_id))
    return api


def _handler(
    api: APIGatewayRestResolver, service: Callable[[], ProgramApi | RulesApi], operation_id: str
) -> Callable[..., Response[str]]:
    def handle(**path: str) -> Response[str]:
        request = http.request(api)
        query = api.current_event.query_string_parameters or {}
        call = Call(request.headers, query, request.body, http.base_url(api))
        answer: Response[str] = getattr(service(), operation_id)(call, **path)
        return answer

    return handle


def _issued(admitted: Admitted, issued: IssuedKey) -> Response[str]:
    ids = {"program": admitted.program.slug, "key_id": admitted.actor, "issued": issued.key.key_id}
    report(Done("key issued", ids))
    document = IssuedKeyDocument(api_key=issued.text, key=KeyDocument.of(issued.key))
    return told(document, HTTPStatus.CREATED, cache_control="no-store")
