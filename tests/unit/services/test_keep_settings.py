"""Changing settings: review rewards can be switched on where reviews can be received."""

from __future__ import annotations

import pytest

from loyalty.contracts.forms import filled_in
from loyalty.contracts.settings import SettingsForm, settings_form
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus
from loyalty.domain.errors import Outdated, StateForbids
from loyalty.domain.program import Program
from loyalty.domain.review_rule import ReviewApp, ReviewRule
from loyalty.services.keep_settings import KeepSettings
from tests.builders import a_connection, a_program
from tests.fakes.clocks import FixedClock
from tests.fakes.memory_queues import MemoryQueue

CONNECT = "https://api.example.com/v1/programs/candles/klaviyo/connect"


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
    form: SettingsForm = filled_in(SettingsForm, document, "settings")
    KeepSettings(store, FixedClock(), MemoryQueue())(program, form, program.version, CONNECT)


def test_with_a_private_key_the_review_rule_cannot_be_switched_on() -> None:
    """R15: and the way out is named."""
    store = Settings()
    with pytest.raises(StateForbids) as refused:
        switched(store, a_connection(), before=False, after=True)
    assert (refused.value.code, "OAuth" in refused.value.message, store.kept) == ("oauth_required", True, [])


LOST = a_connection(mode=ConnectionMode.OAUTH, status=ConnectionStatus.ACCESS_LOST)


@pytest.mark.parametrize("connection", [None, LOST], ids=["none", "lost"])
def test_without_a_connection_it_cannot_either(connection: Connection | None) -> None:
    """R100, R101: the refusal says where to connect."""
    store = Settings()
    with pytest.raises(StateForbids) as refused:
        switched(store, connection, before=False, after=True)
    assert (refused.value.code, refused.value.facts["connect_url"]) == ("klaviyo_not_connected", CONNECT)
    assert store.kept == []


def test_with_oauth_it_can() -> None:
    store = Settings()
    switched(store, a_connection(mode=ConnectionMode.OAUTH), before=False, after=True)
    assert store.kept[0].review_rule.enabled


@pytest.mark.parametrize("app", [ReviewApp.KLAVIYO_FLOW, ReviewApp.JUDGEME])
def test_other_review_apps_need_no_connection(app: ReviewApp) -> None:
    """R100, R188: a flow's webhook and Judge.me bring their own proof of who is calling."""
    store = Settings()
    rule = ReviewRule(app=app)
    KeepSettings(store, FixedClock(), MemoryQueue()).review_rule(a_program(connection=None), rule, 1, CONNECT)
    assert store.kept[0].review_rule.app is app


def test_a_rule_that_stays_on_is_edited_without_a_question() -> None:
    """A new program's rule is on before it is connected, and its other settings can be changed all the same."""
    store = Settings()
    switched(store, None, before=True, after=True)
    assert store.kept == []


def test_an_explicit_rule_that_cannot_work_is_refused_even_if_it_was_on() -> None:
    """R15, R100: by the rule's own address."""
    for connection, code in ((None, "klaviyo_not_connected"), (a_connection(), "oauth_required")):
        store = Settings()
        with pytest.raises(StateForbids) as refused:
            KeepSettings(store, FixedClock(), MemoryQueue()).review_rule(
                a_program(connection=connection), ReviewRule(), 1, CONNECT
            )
        assert (refused.value.code, store.kept) == (code, [])


def test_an_edited_rule_is_a_new_version_from_now_on_and_remembers_the_one_before() -> None:
    """R99."""
    store, clock = Settings(), FixedClock()
    program = a_program(connection=a_connection(mode=ConnectionMode.OAUTH))
    keep = KeepSettings(store, clock, MemoryQueue())
    edited = keep.review_rule(program, ReviewRule(points=70), program.version, CONNECT)
    assert (edited.version, edited.review_rule.version) == (program.version + 1, 2)
    assert (edited.review_rule.since, edited.review_rule.past) == (clock.now(), (program.review_rule,))
    assert keep.review_rule(edited, ReviewRule(points=70), edited.version, CONNECT) is edited
    with pytest.raises(Outdated):
        keep.review_rule(edited, ReviewRule(points=80), program.version, CONNECT)
    assert store.kept == [edited]


def test_with_a_private_key_it_can_be_switched_off() -> None:
    store = Settings()
    switched(store, a_connection(), before=True, after=False)
    assert not store.kept[0].review_rule.enabled
