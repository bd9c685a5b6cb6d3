"""Changing settings: review rewards can be switched on where reviews can be received."""

from __future__ import annotations

import pytest

from loyalty.contracts.forms import filled_in
from loyalty.contracts.settings import SettingsForm, settings_form
from loyalty.domain.connection import Connection, ConnectionMode
from loyalty.domain.errors import StateForbids
from loyalty.domain.program import Program
from loyalty.domain.review_rule import ReviewRule
from loyalty.services.keep_settings import KeepSettings
from tests.builders import a_connection, a_program
from tests.fakes.clocks import FixedClock


class Settings:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[Program] = []

    def replace(self, program: Program) -> None:
        self.kept.append(program)


def switched(store: Settings, connection: Connection | None, *, before: bool, after: bool) -> None:
    program = a_program(connection=connection, review_rule=ReviewRule(enabled=before))
    rule = {"enabled": after, "points": 50, "verified_only": True}
    document = settings_form(program).model_dump() | {"review_rule": rule}
    KeepSettings(store, FixedClock())(program, filled_in(SettingsForm, document, "settings"), program.version)


def test_with_a_private_key_the_review_rule_cannot_be_switched_on() -> None:
    """R15: and the way out is named."""
    store = Settings()
    with pytest.raises(StateForbids) as refused:
        switched(store, a_connection(), before=False, after=True)
    assert (refused.value.code, "OAuth" in refused.value.message, store.kept) == ("oauth_required", True, [])


@pytest.mark.parametrize("connection", [a_connection(mode=ConnectionMode.OAUTH), None], ids=["oauth", "none"])
def test_with_oauth_and_before_any_connection_it_can(connection: Connection | None) -> None:
    store = Settings()
    switched(store, connection, before=False, after=True)
    assert store.kept[0].review_rule.enabled


def test_with_a_private_key_it_can_be_switched_off() -> None:
    store = Settings()
    switched(store, a_connection(), before=True, after=False)
    assert not store.kept[0].review_rule.enabled
