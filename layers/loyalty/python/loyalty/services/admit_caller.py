"""Who is calling, for which program, and whether they may (R123, R124).

A request costs one consistent read of the key, one counted write for its limit, and one read of the program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from loyalty.domain.api_keys import OPERATOR, ApiKey, PresentedKey, Scope, presented_key, secret_digest
from loyalty.domain.errors import Forbidden, Invalid, NotFound, TooManyRequests, Transient, Unauthenticated
from loyalty.domain.identity import ProgramSlug, program_slug
from loyalty.domain.program import Program
from loyalty.ports import Clock, KeyStore, ProgramStore, RequestCounter

KEY_HEADER = "api-key"
FLOW_HEADER = "x-klaviyo-flow-id"

USE_NOTED_EVERY = timedelta(hours=1)

_FLOW_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class OperatorKeys(Protocol):
    """The operator's own key."""

    def opens(self, presented: str) -> bool:
        """Whether this is it.

        Raises:
            Transient: it cannot be looked up now.
        """


class NoOperator:
    """For functions that the operator has no business with."""

    def opens(self, presented: str) -> bool:  # noqa: ARG002 - nothing is the key of nobody
        """Whether this is the operator's key: it never is."""
        return False


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says about who sends it: a key and, from a Klaviyo flow, the flow's id."""

    key: str = field(repr=False)
    flow_id: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Caller:
        """Read the headers, whose names are lower-cased."""
        flow_id = headers.get(FLOW_HEADER, "").strip()
        return cls(headers.get(KEY_HEADER, "").strip(), flow_id if _FLOW_ID.fullmatch(flow_id) else "")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller that may go on. ``actor`` is the key's id, or the operator."""

    program: Program
    actor: str


@dataclass(frozen=True, slots=True)
class AdmitCaller:
    """Admits callers to programs."""

    keys: KeyStore
    programs: ProgramStore
    counter: RequestCounter
    clock: Clock
    operator: OperatorKeys = field(default_factory=NoOperator)

    def __call__(self, caller: Caller, slug: str, scope: Scope) -> Admitted:
        """Admit a caller to a program for something.

        Raises:
            Unauthenticated: ``missing_api_key`` or ``invalid_api_key``, revoked ones included.
            NotFound: there is no such program.
            Forbidden: ``key_of_another_program`` or ``missing_scope``.
            TooManyRequests: the key has made all the requests it may in this minute.
            Transient: the same for a Klaviyo flow, which is told to come back in the way it understands best.
        """
        key = presented_key(caller.key)
        if key is None:
            self.operator_only(caller)
            return Admitted(self._program(slug), OPERATOR)
        known = self._known(key)
        now = self.clock.now()
        if not self.counter.take(known.key_id, known.per_minute, now):
            raise _too_many(known, now, from_flow=bool(caller.flow_id))
        program = self._program(slug)
        if known.program != program.slug:
            raise Forbidden("This API key belongs to another program.", code="key_of_another_program")
        if not known.allows(scope):
            raise Forbidden(f"This API key lacks the scope {scope.value}.", code="missing_scope", scope=scope.value)
        if known.last_used_at is None or now - known.last_used_at >= USE_NOTED_EVERY:
            self.keys.note_use(known, now)
        return Admitted(program, known.key_id)

    def operator_only(self, caller: Caller) -> None:
        """Let nobody but the operator pass.

        Raises:
            Unauthenticated: ``missing_api_key`` or ``invalid_api_key``.
            Forbidden: ``operator_only``, this is a program's key.
        """
        if not caller.key:
            raise Unauthenticated("Send your API key in the header api-key.", code="missing_api_key")
        if (key := presented_key(caller.key)) is not None:
            self._known(key)
            raise Forbidden("Only the operator may do this.", code="operator_only")
        if not self.operator.opens(caller.key):
            raise _invalid()

    def _known(self, key: PresentedKey) -> ApiKey:
        known = self.keys.load(key.key_id)
        if known is None:
            secret_digest(key.key_id, key.secret)  # an unknown key costs the same work as a wrong secret
            raise _invalid()
        if not known.is_opened_by(key.secret) or known.revoked_at is not None:
            raise _invalid()
        return known

    def _program(self, slug: str) -> Program:
        program = self.programs.load(_existing(slug))
        if program is None:
            raise _unknown_program()
        return program


def _existing(slug: str) -> ProgramSlug:
    try:
        return program_slug(slug)
    except Invalid:
        raise _unknown_program() from None


def _unknown_program() -> NotFound:
    return NotFound("There is no such program.", code="unknown_program")


def _invalid() -> Unauthenticated:
    return Unauthenticated("This API key is not valid; it may have been revoked.", code="invalid_api_key")


def _too_many(key: ApiKey, now: datetime, *, from_flow: bool) -> Transient:
    message = f"This API key may make {key.per_minute} requests a minute."
    seconds = 60 - now.second
    if from_flow:
        return Transient(message, code=TooManyRequests.code, retry_after=seconds)
    return TooManyRequests(message, retry_after=seconds)
