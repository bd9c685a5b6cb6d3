"""Adjust balances as flows and merchants' systems ask: a request is checked as a whole, then done item by item (R121).

Every item happens once under its key: its own, the request's ``Idempotency-Key`` with its place, or a key derived
from what a flow asks for, where the program wants that. A request without any key gets a name of its own. If it stops
half way, that name is kept by the request's content, so that the very same request, sent again after our 503, goes on
where it stopped; once it has got to its end, the next one like it counts anew. Only an outage that also takes the note
can make a request without keys count twice, which is why whatever we generate has keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.contracts.adjustments import (
    REVIEW_KEY,
    AdjustmentForm,
    AdjustmentResult,
    AdjustmentsAnswer,
    RefusedWhy,
    read_adjustments,
    warnings_for,
)
from loyalty.contracts.idempotency import IDEMPOTENCY_HEADER, read_idempotency_key
from loyalty.contracts.review_facts import canonical_name
from loyalty.domain.adjustments import Direction, UnknownMember
from loyalty.domain.api_keys import Scope
from loyalty.domain.errors import KeyReused, Transient
from loyalty.domain.identity import Address, Email, ProgramSlug
from loyalty.domain.ledger.commands import Adjust, Command, CommandKey, Narrative
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Source, canonical, digest
from loyalty.domain.ledger.member import Standing
from loyalty.domain.moments import local_date
from loyalty.domain.program import Program
from loyalty.ports import Clock, Randomness, Receipt, UnfinishedRequests
from loyalty.services.admit_caller import AdmitCaller, Admitted, Caller
from loyalty.services.posting import Ledger, addressed

RETRIED_FOR = timedelta(hours=24)
"""How long Klaviyo sends a step again (docs/klaviyo.md 7)."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What became of a request."""

    program: ProgramSlug
    actor: str
    direction: Direction
    results: tuple[AdjustmentResult, ...]

    @property
    def message(self) -> str:
        """What happened."""
        return "balances adjusted"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        fresh = [result.points or 0 for result in self.results if result.status == "posted" and not result.replayed]
        return {
            "AdjustmentsPosted": len(fresh),
            "AdjustmentsReplayed": sum(result.replayed is True for result in self.results),
            "AdjustmentsRefused": sum(result.status == "refused" for result in self.results),
            "PointsAdded": sum(points for points in fresh if points > 0),
            "PointsTaken": -sum(points for points in fresh if points < 0),
        }

    @property
    def ids(self) -> Mapping[str, str]:
        """Where to look further."""
        entries = " ".join(result.entry_id for result in self.results if result.entry_id)
        return {"program": self.program, "key_id": self.actor, "direction": self.direction.value, "entries": entries}

    @property
    def answer(self) -> str:
        """What the caller is told, as JSON."""
        return AdjustmentsAnswer(results=self.results).model_dump_json(exclude_none=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as far as it concerns all its items."""

    program: Program
    direction: Direction
    source: Source
    actor: str
    header_key: str
    name: str


@dataclass(frozen=True, slots=True)
class AdjustBalances:
    """Adjusts balances."""

    admit: AdmitCaller
    ledger: Ledger
    unfinished: UnfinishedRequests
    clock: Clock
    randomness: Randomness

    def __call__(
        self, slug: str, direction: Direction | str, headers: Mapping[str, str], body: bytes, *, until: datetime
    ) -> Adjusted:
        """Serve a request; ``headers`` go by lower-cased name, ``until`` is when an answer must be on its way.

        ``direction`` is a ``Direction`` or its value.

        Raises:
            Unauthenticated, Forbidden, NotFound: see ``AdmitCaller``.
            TooLarge, Invalid, Rejected: the request is wrong and nothing of it was done.
            Conflict, Transient: some items may be done; the same request, sent again, does the others.
        """
        caller = Caller.of(headers)
        admitted = self.admit(caller, slug, Scope.BALANCE_WRITE)
        header_key = read_idempotency_key(headers.get(IDEMPOTENCY_HEADER))
        items = read_adjustments(body)
        source = Source("flow", caller.flow_id) if caller.flow_id else Source("api")
        direction = Direction(direction)
        asked = _Asked(admitted.program, direction, source, admitted.actor, header_key, "")
        if all(item.idempotency_key or header_key or _derives(asked) for item in items):
            results = self._all(asked, items, until)
        else:
            results = self._all_nameless(asked, items, _content(asked, admitted, items), until)
        return Adjusted(admitted.program.slug, admitted.actor, direction, results)

    def _all_nameless(
        self, asked: _Asked, items: Sequence[AdjustmentForm], content: str, until: datetime
    ) -> tuple[AdjustmentResult, ...]:
        slug = asked.program.slug
        begun = self.unfinished.find(slug, content)
        name = begun or self.randomness.salt()
        try:
            results = self._all(replace(asked, name=name), items, until)
        except Exception:
            # Whatever went wrong, the caller hears 503 and sends the request again.
            self.unfinished.remember(slug, content, name, self.clock.now())
            raise
        if begun:
            self.unfinished.forget(slug, content)
        return results

    def _all(self, asked: _Asked, items: Sequence[AdjustmentForm], until: datetime) -> tuple[AdjustmentResult, ...]:
        results: list[AdjustmentResult] = []
        for index, item in enumerate(items):
            if self.clock.now() >= until:
                raise Transient(
                    "There was no time for all adjustments; send the same request again.", code="out_of_time"
                )
            results.append(_result(index, item, self._one(asked, index, item)))
        return tuple(results)

    def _one(self, asked: _Asked, index: int, item: AdjustmentForm) -> Receipt | Refusal:
        address = Address("email", item.email)
        command = self._command(asked, index, item)
        program, rule = asked.program, asked.program.adjustment_rule
        newcomer = asked.direction is Direction.INCREASE and rule.unknown_member is not UnknownMember.REFUSE
        if newcomer:
            # What a review brings in and what an adjustment brings in are two settings of a program.
            program = replace(program, newcomers=Standing(rule.unknown_member.value))
        try:
            if item.idempotency_key is None and not asked.header_key and _derives(asked):
                first = self._day_before(program, address, asked, item, command)
                if first is not None:
                    return first
            return self.ledger.post(program, address, command, newcomer=newcomer)
        except KeyReused as reused:
            return Refusal(reused.code, reused.message)

    def _day_before(
        self, program: Program, address: Address, asked: _Asked, item: AdjustmentForm, command: Command
    ) -> Receipt | None:
        """What the same step was answered less than 24 hours ago, when the program's day has changed since."""
        now = self.clock.now()
        earlier = replace(command, key=_derived_key(asked, item, now - RETRIED_FOR))
        first = self.ledger.first(program, addressed(program, address, earlier))
        return first if first and now - first.recorded_at < RETRIED_FOR else None

    def _command(self, asked: _Asked, index: int, item: AdjustmentForm) -> Command:
        now = self.clock.now()
        if review := _review_of(asked, item):
            key = CommandKey("review", canonical_name(review), natural=True)
        elif item.idempotency_key:
            key = CommandKey("adjust", f"item|{item.idempotency_key}")
        elif asked.header_key:
            key = CommandKey("adjust", f"header|{asked.header_key}|{index}")
        elif _derives(asked):
            key = _derived_key(asked, item, now)
        else:
            key = CommandKey("adjust", f"request|{asked.name}|{index}")
        narrative = Narrative(
            source=asked.source,
            actor=asked.actor,
            occurred_at=now,
            reason=item.reason,
            event_type=asked.direction.event_type,
        )
        return Command(key, Adjust(asked.direction.signed(item.amount)), narrative)


def _review_of(asked: _Asked, item: AdjustmentForm) -> str:
    """The review an increase names by its key: the review rule and flows pay it once between them (R136)."""
    key = item.idempotency_key or ""
    if asked.direction is not Direction.INCREASE or not key.startswith(REVIEW_KEY):
        return ""
    return key.removeprefix(REVIEW_KEY).strip()


def _derives(asked: _Asked) -> bool:
    return bool(asked.source.id) and asked.program.adjustment_rule.derived_keys


def _derived_key(asked: _Asked, item: AdjustmentForm, now: datetime) -> CommandKey:
    day = local_date(now, asked.program.terms.timezone).isoformat()
    member_id = asked.program.member_id(Email(item.email))
    facts = [asked.source.id, member_id, asked.direction.signed(item.amount), item.reason, day]
    return CommandKey("adjust", f"flow|{digest('', canonical(facts))}")


def _content(asked: _Asked, admitted: Admitted, items: Sequence[AdjustmentForm]) -> str:
    """Digest of all that a request asks for and of who asks."""
    facts = [
        admitted.actor,
        asked.direction.value,
        asked.source.id,
        asked.header_key,
        [item.model_dump() for item in items],
    ]
    return digest(admitted.program.id_key, canonical(facts))


def _result(index: int, item: AdjustmentForm, outcome: Receipt | Refusal) -> AdjustmentResult:
    warnings = warnings_for(item.reason)
    if isinstance(outcome, Refusal):
        error = RefusedWhy(code=outcome.code, message=outcome.message)
        return AdjustmentResult(index=index, status="refused", error=error, warnings=warnings)
    return AdjustmentResult(
        index=index,
        status="posted",
        entry_id=outcome.entry_id,
        points=outcome.points,
        balance=outcome.after.available,
        replayed=outcome.replayed,
        warnings=warnings,
    )
