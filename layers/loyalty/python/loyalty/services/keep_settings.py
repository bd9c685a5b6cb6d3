"""Change a program's settings, by the version that was read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from loyalty.contracts.settings import SettingsForm, with_settings
from loyalty.contracts.sweeps import ProgramToSettle
from loyalty.domain.errors import Conflict, Outdated
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from loyalty.domain.review_rule import ReviewRule
from loyalty.ports import Clock, MessageQueue, QueueMessage
from loyalty.services.require_review_app import require_review_app


class SettingsStore(Protocol):
    """Where settings are kept."""

    def replace(self, program: Program) -> None:
        """Store a program's settings over the version before.

        Raises:
            Conflict: another version is stored.
        """


SETTLE_DELAY = 30
"""Seconds until members are looked at under changed terms: longer than it takes to store these, or to give up, and
than a worker goes on with terms it has read, which is for a page of members."""


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """Changes settings, all of them or the review rule alone.

    A change of terms that moves due times is announced in ``sweeps`` before it is stored, so that none goes unheard.
    """

    store: SettingsStore
    clock: Clock
    sweeps: MessageQueue

    def __call__(self, program: Program, form: SettingsForm, version: int, connect_url: str = "") -> Program:
        """Replace all settings of a program that was read at ``version``; what stays the same makes no new version.

        ``connect_url`` is where a merchant connects to Klaviyo.

        Raises:
            Outdated: the settings are of another version by now.
            StateForbids: review rewards are switched on, or their app is chosen, and it is out of reach (R15, R100).
        """
        if version != program.version:
            raise _outdated(program.version)
        changed = with_settings(program, form, self.clock.now())
        before, after = program.review_rule, changed.review_rule
        if after.enabled and (not before.enabled or after.app is not before.app):
            require_review_app(program, after, connect_url)
        return self._kept(program, changed)

    def review_rule(self, program: Program, rule: ReviewRule, version: int, connect_url: str = "") -> Program:
        """Replace the review rule alone; later reviews are judged by it (R99).

        Raises:
            Outdated: the settings are of another version by now.
            StateForbids: the rule is to be on, and the review app it chooses is out of reach (R15, R100).
        """
        if version != program.version:
            raise _outdated(program.version)
        require_review_app(program, rule, connect_url)
        edited = program.review_rule.edited(rule, self.clock.now())
        if edited is program.review_rule:
            return program
        return self._kept(program, replace(program, review_rule=edited, version=program.version + 1))

    def include_klaviyo(self, program: Program, *, included: bool) -> Program:
        """Let a program connect to Klaviyo, or not any more (R24); a connection that it has goes on.

        Raises:
            Outdated: somebody changed the settings meanwhile.
        """
        if program.klaviyo_included is included:
            return program
        return self._kept(program, replace(program, klaviyo_included=included, version=program.version + 1))

    def _kept(self, program: Program, changed: Program) -> Program:
        if changed is not program:
            if _due_terms(changed) != _due_terms(program):
                self.sweeps.send(
                    [QueueMessage(ProgramToSettle(program=program.slug).model_dump_json(), delay=SETTLE_DELAY)]
                )
            try:
                self.store.replace(changed)
            except Conflict as conflict:
                raise _outdated(None) from conflict
        return changed


def _due_terms(program: Program) -> Terms:
    """The terms that say when things are due; the others are as they are by default."""
    usual, terms = Terms(), program.terms
    return replace(terms, balance_cap=usual.balance_cap, overdraft=usual.overdraft, restored_days=usual.restored_days)


def _outdated(version: int | None) -> Outdated:
    message = "The settings were changed since you read them; read them again."
    return Outdated(message) if version is None else Outdated(message, version=version)
