"""Change a program's settings, by the version that was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loyalty.contracts.settings import SettingsForm, with_settings
from loyalty.domain.errors import Conflict, Outdated, StateForbids
from loyalty.domain.moments import local_date
from loyalty.domain.program import Program
from loyalty.ports import Clock


class SettingsStore(Protocol):
    """Where settings are kept."""

    def replace(self, program: Program) -> None:
        """Store a program's settings over the version before.

        Raises:
            Conflict: another version is stored.
        """


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """Changes settings."""

    store: SettingsStore
    clock: Clock

    def __call__(self, program: Program, form: SettingsForm, version: int) -> Program:
        """Replace all settings of a program that was read at ``version``; what stays the same makes no new version.

        Raises:
            Outdated: the settings are of another version by now.
            StateForbids: ``oauth_required``, review rewards cannot be switched on with a private key (R15).
        """
        if version != program.version:
            raise _outdated(program.version)
        changed = with_settings(program, form, local_date(self.clock.now(), form.timezone))
        if changed.review_rule.enabled and not program.review_rule.enabled:
            _require_oauth(program)
        if changed is not program:
            try:
                self.store.replace(changed)
            except Conflict as conflict:
                raise _outdated(None) from conflict
        return changed


def _require_oauth(program: Program) -> None:
    if program.connection is not None and program.connection.needs_upgrade:
        raise StateForbids(
            "Review rewards need a connection by OAuth; connect again through the link of POST .../klaviyo/connect.",
            code="oauth_required",
        )


def _outdated(version: int | None) -> Outdated:
    message = "The settings were changed since you read them; read them again."
    return Outdated(message) if version is None else Outdated(message, version=version)
