"""Webhook actions: ready to paste, and as draft flows in the program's Klaviyo account (R14, R132-R138)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from local.fake_klaviyo.review_desk import submit_review
from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, ReviewInput
from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.contracts.builder import PLACEHOLDER
from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.errors import Forbidden, Misconfigured, Rejected, StateForbids, Transient, Unauthenticated
from loyalty.domain.oauth import REQUIRED_SCOPES
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.build_webhooks import REVIEW_METRIC, BuildWebhooks
from loyalty.services.keep_keys import KeepKeys
from tests.connection_world import CANDLES, Office
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.fakes.memory_oauth import MemoryApp

GATEWAY = "https://gateway.klaviyo-demo.com/v1"
LIST, ACCOUNT = "Xy1234", "AbC123"


class Workshop:
    """An office with the builder in it, keys, and a list in the account."""

    def __init__(self, *, connected: bool = True) -> None:
        self.office = Office(lists=[LIST])
        keys, clock = MemoryKeys(), self.office.clock
        keep = KeepKeys(keys, clock, SeededRandomness())
        self.admin = keep.create(CANDLES, "Admin", [Scope.ADMIN]).text
        self.flows_only = keep.create(CANDLES, "Flows", [Scope.BALANCE_WRITE]).text
        self.admit = AdmitCaller(keys, self.office.programs, MemoryCounter(), clock)
        self.build = BuildWebhooks(self.admit, self.office.account.app, self.office.klaviyo, CallLimits(clock))
        if connected:
            self.office.connects()

    def drafts(self, *, key: str = "", **asked: Any) -> tuple[str, bool, list[str]]:
        """Ask for a draft; the flow's id, whether it is new, and what was warned of."""
        headers = {"api-key": key or self.admin}
        document, _ = self.build.draft(CANDLES, headers, json.dumps(asked).encode(), base_url=GATEWAY)
        self.office.clock.sleep(2)
        return document.flow_id, document.created, [warning.code for warning in document.warnings]

    def refuses(self, **asked: Any) -> str:
        with pytest.raises(Rejected) as refused:
            self.drafts(**asked)
        return refused.value.code

    @property
    def flows(self) -> dict[str, Any]:
        """The flows that the account has, by id."""
        return self.office.account.fake.services.world.accounts[ACCOUNT].flows


def test_a_flow_becomes_a_draft_with_our_webhook_in_it() -> None:
    """R14, R138: what Klaviyo stores is what the builder shows, and nothing of it is live."""
    workshop = Workshop()
    flow_id, created, warnings = workshop.drafts(idea="birthday", amount=50, api_key=workshop.flows_only)
    assert (created, warnings) == (True, [])
    flow = workshop.flows[flow_id].attributes
    assert (flow["name"], flow["status"]) == ("Loyalty - birthday bonus", "draft")
    (action,) = flow["definition"]["actions"]
    shown = workshop.build.show(
        CANDLES, {"api-key": workshop.flows_only}, {"idea": "birthday", "amount": "50"}, base_url=GATEWAY
    )
    message = action["data"]["message"]
    assert (message["url"], message["headers"], message["body"]) == (shown.url, shown.headers, shown.body)
    assert action["data"]["status"] == "draft"


def test_asking_again_finds_the_flow_that_was_made_even_where_the_answer_was_lost() -> None:
    """docs/klaviyo.md 9: Klaviyo would make a second one."""
    workshop = Workshop()
    workshop.office.account.goes_wrong(operation="create_flow", kind="reset_after")
    with pytest.raises(Transient):
        workshop.drafts(idea="birthday")
    workshop.office.clock.sleep(2)
    flow_id, created, _ = workshop.drafts(idea="birthday")
    assert (list(workshop.flows), created) == ([flow_id], False)
    other_id, created, _ = workshop.drafts(idea="birthday", name="Birthday, VIPs")
    assert (other_id != flow_id, created, len(workshop.flows)) == (True, True, 2)


def test_of_two_requests_at_the_same_moment_one_drafts_the_flow() -> None:
    """Both find that there is no flow of the name yet; Klaviyo would make one for each."""
    workshop, refused = Workshop(), []

    def second() -> None:
        with pytest.raises(Transient) as pending:
            workshop.drafts(idea="birthday")
        refused.append((pending.value.code, pending.value.retry_after))

    workshop.office.meanwhile("get_flows", second)
    flow_id, created, _ = workshop.drafts(idea="birthday")
    assert (list(workshop.flows), created, refused) == ([flow_id], True, [("flow_draft_pending", 60)])
    assert workshop.drafts(idea="birthday")[:2] == (flow_id, False)


def test_what_klaviyo_refused_can_be_put_right_and_drafted_after_a_minute() -> None:
    workshop = Workshop()
    assert workshop.refuses(idea="welcome", list_id="NoList") == "klaviyo_refused"
    workshop.office.clock.sleep(60)
    assert workshop.drafts(idea="welcome", list_id=LIST)[1] is True


def test_without_a_key_a_placeholder_stands_in_the_flow_and_is_warned_of() -> None:
    workshop = Workshop()
    flow_id, _, warnings = workshop.drafts(idea="welcome", list_id=LIST)
    (action,) = workshop.flows[flow_id].attributes["definition"]["actions"]
    assert action["data"]["message"]["headers"]["api-key"] == PLACEHOLDER
    assert warnings == ["key_missing"]
    assert workshop.flows[flow_id].attributes["definition"]["triggers"] == [{"type": "list", "id": LIST}]


def test_what_starts_a_flow_must_be_named_and_be_there() -> None:
    workshop = Workshop()
    assert workshop.refuses(idea="welcome") == "trigger_missing"
    assert workshop.refuses(idea="win_back") == "trigger_missing"
    assert workshop.refuses(idea="bonus") == "trigger_missing"
    assert workshop.refuses(idea="bonus", metric="Placed Order") == "unknown_metric"
    assert workshop.refuses(idea="welcome", list_id="NoList") == "klaviyo_refused"
    assert workshop.refuses(idea="lottery") == "invalid_body"
    assert workshop.flows == {}


@pytest.mark.parametrize("idea", ["review", "submit_review"])
def test_a_metric_is_found_by_its_name(idea: str) -> None:
    """R136: flows about reviews start with Klaviyo Reviews' own metric."""
    workshop = Workshop()
    assert workshop.refuses(idea=idea) == "unknown_metric"
    services = workshop.office.account.fake.services
    submit_review(services, services.world.accounts[ACCOUNT], ReviewInput(email="sarah.mason@klaviyo-demo.com"))
    flow_id, _, _ = workshop.drafts(idea=idea)
    metrics = services.world.accounts[ACCOUNT].metrics.values()
    (metric,) = [metric for metric in metrics if metric.name == REVIEW_METRIC]
    (trigger,) = workshop.flows[flow_id].attributes["definition"]["triggers"]
    assert trigger == {"type": "metric", "id": metric.id}


def test_a_private_key_is_refused_with_the_upgrade_and_after_the_upgrade_it_works() -> None:
    """R14: 409, then 201."""
    workshop = Workshop(connected=False)
    assert workshop.refuses(idea="birthday") == "not_connected"
    workshop.office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    with pytest.raises(StateForbids, match="OAuth"):
        workshop.drafts(idea="birthday")
    assert workshop.refuses(idea="birthday") == "oauth_required"
    workshop.office.clock.sleep(60)
    workshop.office.connects()
    assert workshop.drafts(idea="birthday")[1] is True


def test_lost_access_and_missing_scopes_are_told_before_klaviyo_is_asked() -> None:
    workshop = Workshop()
    workshop.office.changes(scopes=tuple(sorted(REQUIRED_SCOPES - {"flows:write"})))
    calls = workshop.office.calls()
    assert workshop.refuses(idea="birthday") == "reconnect_required"
    workshop.office.changes(status=ConnectionStatus.ACCESS_LOST)
    assert workshop.refuses(idea="birthday") == "access_lost"
    assert workshop.office.calls() == calls


def test_a_scope_that_klaviyo_does_not_see_asks_for_a_reconnect() -> None:
    """The stored scopes may say more than the grant."""
    office = Workshop(connected=False)
    office.office.account.fake.services.switches.granted_scopes = sorted(REQUIRED_SCOPES - {"flows:write"})
    office.office.connects()
    office.office.changes(scopes=tuple(sorted(REQUIRED_SCOPES)))
    assert office.refuses(idea="birthday") == "reconnect_required"


def test_only_admins_draft_flows_and_flows_own_keys_may_see_them() -> None:
    workshop = Workshop()
    with pytest.raises(Forbidden):
        workshop.drafts(idea="birthday", key=workshop.flows_only)
    with pytest.raises(Unauthenticated):
        workshop.build.show(CANDLES, {}, {}, base_url=GATEWAY)
    shown = workshop.build.show(CANDLES, {"api-key": workshop.flows_only}, {}, base_url=GATEWAY)
    assert shown.headers["api-key"] == workshop.flows_only


def test_the_url_is_the_one_that_klaviyo_reaches_us_by() -> None:
    """The operator's public URL; without one, the URL that the caller came in by."""
    workshop = Workshop()
    shown = workshop.build.show(CANDLES, {"api-key": workshop.admin}, {}, base_url=GATEWAY)
    assert shown.url.startswith(workshop.office.account.app.url)
    nowhere = replace(workshop.build, app=_NotSetUp("", ""))
    shown = nowhere.show(CANDLES, {"api-key": workshop.admin}, {}, base_url=GATEWAY)
    assert shown.url == f"{GATEWAY}/programs/candles/balance/increase"


class _NotSetUp(MemoryApp):
    """An app that no operator has set up yet."""

    def public_url(self) -> str:
        raise Misconfigured("Set the app up first.")
