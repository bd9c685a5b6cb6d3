"""Sample events: after one request Klaviyo knows the metrics of the selected events, and no flow has fired (R153)."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from openapi_schema_validator import OAS31Validator

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.contracts.openapi import openapi
from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import ConnectionStatus, FirstSync
from loyalty.domain.errors import Rejected
from loyalty.domain.oauth import REQUIRED_SCOPES, SENDING_SCOPES
from loyalty.domain.samples import PRODUCED
from loyalty.runtime import http, sample_routes
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.build_webhooks import BuildWebhooks
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.send_sample_events import SendSampleEvents
from tests.connection_world import CANDLES, Office
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.gateway import Answered, Context, a_request, answered
from tests.logs import Written, written

OWN = "sarah.mason@klaviyo-demo.com"
PATH = "/programs/{slug}/klaviyo/sample-events"
DESCRIPTION = openapi("/v1")
YEARS = 10**12
"""Milliseconds left, so that the machine's clock does not matter beside the fake's."""


class Counter:
    """An office that is connected by OAuth, before its first sync, and the route with keys to knock with."""

    def __init__(self, *, connected: bool = True) -> None:
        self.office = Office()
        keys, clock = MemoryKeys(), self.office.clock
        self.keep = KeepKeys(keys, clock, SeededRandomness())
        self.admin = self.key(Scope.ADMIN)
        admit = AdmitCaller(keys, self.office.programs, MemoryCounter(), clock)
        self.build = BuildWebhooks(admit, self.office.account.app, self.office.klaviyo, CallLimits(clock))
        samples = SendSampleEvents(admit, self.office.klaviyo, cast("Any", SimpleNamespace(now=self.now)))
        self.late = False
        self.api = http.api()
        sample_routes.add_routes(self.api, lambda: samples)
        self.log = Written()
        if connected:
            self.office.connects()

    def now(self) -> Any:
        """The time of the shared clock; when it is late, the time of this run is over."""
        now = self.office.clock.now()
        return now.replace(year=9000) if self.late else now

    def key(self, scope: Scope) -> str:
        return self.keep.create(CANDLES, "Back office", (scope,), per_minute=600).text

    def asks(self, body: object = None, *, key: str = "") -> Answered:
        """Ask for samples over HTTP; what is answered is described and gives no address away, nor does the log."""
        sent = {"email": OWN} if body is None else body
        event = a_request(
            "POST", f"/programs/{CANDLES}/klaviyo/sample-events", sent, headers={"api-key": key or self.admin}
        )
        with written() as self.log:
            answer = answered(http.answer(self.api, event, Context(left=YEARS)))  # type: ignore[arg-type]
        assert OWN not in self.log.text
        assert "@" not in json.dumps(answer.document)
        content = DESCRIPTION["paths"][PATH]["post"]["responses"][str(answer.status)]["content"]
        (media,) = content.values()
        OAS31Validator({**media["schema"], "components": DESCRIPTION["components"]}).validate(answer.document)
        self.office.clock.sleep(2)
        return answer

    def refused(self, body: object = None, *, key: str = "") -> tuple[int, str]:
        answer = self.asks(body, key=key)
        return answer.status, answer.document["code"]

    def metrics(self) -> set[str]:
        """Names of the metrics that the account knows."""
        return {name for _, name in self.office.account.fake.services.world.accounts["AbC123"].metrics}


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_the_metrics_appear_and_every_event_is_back_fill_at_both_levels(counter: Counter) -> None:
    """R153, docs/klaviyo.md 3: before the first sync too, since flows are built before a program goes live."""
    assert counter.office.connection().first_sync is FirstSync.NOT_STARTED
    answer = counter.asks()
    assert answer.status == 200
    assert answer.document["sent"] == len(PRODUCED)
    assert {each["type"] for each in answer.document["events"]} == PRODUCED
    assert counter.metrics() == {each["metric"] for each in answer.document["events"]}
    assert {"Points Earned on Review", "Points Expiring", "Points Added"} <= counter.metrics()
    stored = counter.office.account.stored_events()
    assert all(event.backfill and event.properties["sample"] is True for event in stored)
    assert {event.time for event in stored} == {stored[0].received.replace(microsecond=0)}
    (body,) = [json.loads(body) for path, body in counter.office.account.wire.bodies if "event-bulk" in path]
    (element,) = body["data"]["attributes"]["events-bulk-create"]["data"]
    assert element["attributes"]["backfill"] is True
    assert all(event["attributes"]["backfill"] is True for event in element["attributes"]["events"]["data"])


def test_a_flow_can_be_built_on_a_metric_as_soon_as_its_sample_is_there(counter: Counter) -> None:
    """R153, docs/klaviyo.md 9: a flow needs the metric's id."""
    asked = json.dumps({"idea": "bonus", "metric": "Points Expiring"}).encode()
    headers = {"api-key": counter.admin}
    with pytest.raises(Rejected, match="sample-events") as refused:
        counter.build.draft(CANDLES, headers, asked, base_url="https://gateway.klaviyo-demo.com/v1")
    assert refused.value.code == "unknown_metric"
    counter.asks()
    drafted, _ = counter.build.draft(CANDLES, headers, asked, base_url="https://gateway.klaviyo-demo.com/v1")
    account = counter.office.account.fake.services.world.accounts["AbC123"]
    (trigger,) = account.flows[drafted.flow_id].attributes["definition"]["triggers"]
    (metric,) = [metric for metric in account.metrics.values() if metric.name == "Points Expiring"]
    assert trigger == {"type": "metric", "id": metric.id}


def test_nothing_but_the_address_is_told_of_the_profile(counter: Counter) -> None:
    counter.asks()
    assert counter.office.account.profiles() == {OWN: {}}


def test_the_log_says_how_many_were_sent(counter: Counter) -> None:
    counter.asks()
    (line,) = counter.log.lines("sample events sent")
    assert (line["program"], line["SampleEventsSent"]) == (CANDLES, len(PRODUCED))


@pytest.mark.parametrize("repeated", ["discard", "fail"])
def test_asking_again_doubles_nothing_whatever_klaviyo_does_with_repeats(counter: Counter, repeated: Any) -> None:
    """docs/klaviyo.md 3: its texts disagree on whether a bulk request with a stored unique_id fails."""
    counter.office.account.fake.services.switches.repeated_unique_id_in_bulk = repeated
    first = counter.asks()
    again = counter.asks()
    assert (again.status, again.document) == (200, first.document)
    assert len(counter.office.account.stored_events()) == len(PRODUCED)


def test_an_answer_that_got_lost_is_a_503_and_asking_again_doubles_nothing(counter: Counter) -> None:
    counter.office.account.goes_wrong(operation="bulk_create_events", kind="hang", seconds=60)
    assert counter.refused() == (503, "klaviyo_unavailable")
    assert counter.asks().status == 200
    assert len(counter.office.account.stored_events()) == len(PRODUCED)


def test_a_type_that_is_not_selected_gets_no_metric(counter: Counter) -> None:
    """R92: a metric could not be deleted again."""
    program = counter.office.programs.programs[CANDLES]
    counter.office.programs.programs[CANDLES] = replace(program, events_off=PRODUCED - {"points_expiring"})
    answer = counter.asks()
    assert answer.document == {"sent": 1, "events": [{"type": "points_expiring", "metric": "Points Expiring"}]}
    assert counter.metrics() == {"Points Expiring"}


def test_where_nothing_is_selected_nothing_is_sent(counter: Counter) -> None:
    program = counter.office.programs.programs[CANDLES]
    counter.office.programs.programs[CANDLES] = replace(program, events_off=PRODUCED)
    calls = counter.office.calls()
    assert counter.asks().document == {"sent": 0, "events": []}
    assert counter.office.calls() == calls


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        ({}, "email", "missing"),
        ({"email": None}, "email", "string_type"),
        ({"email": "sarah.mason"}, "email", "invalid_email"),
        ({"email": "{{ person.email }}"}, "email", "unrendered_template"),
        ({"email": "sarah@example.com"}, "email", "dropped_by_klaviyo"),
        ({"email": OWN, "types": []}, "types", "extra_forbidden"),
    ],
)
def test_the_address_has_to_be_named_and_real(counter: Counter, body: object, where: str, code: str) -> None:
    """docs/klaviyo.md 3: Klaviyo takes events of example domains and drops them."""
    calls = counter.office.calls()
    answer = counter.asks(body)
    assert (answer.status, answer.document["code"]) == (422, "invalid_body")
    assert [(each["where"], each["code"]) for each in answer.document["errors"]] == [(where, code)]
    assert counter.office.calls() == calls


def test_without_a_connection_it_is_a_409_and_a_private_key_will_do() -> None:
    """R11: what is sent by key later has its metric by key."""
    counter = Counter(connected=False)
    assert counter.refused() == (409, "not_connected")
    counter.office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    counter.office.clock.sleep(60)
    assert counter.asks().status == 200
    counter.office.disconnect(CANDLES, confirmed=True)
    assert counter.refused() == (409, "not_connected")


def test_after_the_upgrade_to_oauth_the_apps_own_metrics_want_samples_of_their_own() -> None:
    """docs/klaviyo.md 3: Klaviyo keeps the metrics of an app apart from those of a private key."""
    counter = Counter(connected=False)
    counter.office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    counter.asks()
    counter.office.clock.sleep(60)
    counter.office.connects()
    assert counter.asks().status == 200
    integrations = {event.metric.integration.key for event in counter.office.account.stored_events()}
    assert len(integrations) == 2
    assert len(counter.office.account.stored_events()) == 2 * len(PRODUCED)


def test_lost_access_and_missing_scopes_are_told_before_klaviyo_is_asked(counter: Counter) -> None:
    calls = counter.office.calls()
    counter.office.changes(scopes=tuple(sorted(REQUIRED_SCOPES - {"events:write", "flows:write"})))
    answer = counter.asks()
    assert (answer.status, answer.document["code"]) == (409, "reconnect_required")
    assert answer.document["missing_scopes"] == ["events:write"]
    counter.office.changes(status=ConnectionStatus.ACCESS_LOST)
    assert counter.refused() == (409, "access_lost")
    assert counter.office.calls() == calls


def test_scopes_that_sending_does_not_need_do_not_stand_in_the_way(counter: Counter) -> None:
    counter.office.changes(scopes=tuple(sorted(SENDING_SCOPES)))
    assert counter.asks().status == 200


def test_access_that_is_lost_meanwhile_is_the_same_409(counter: Counter) -> None:
    """R16: the loss is noted as in any other sending."""
    for _ in range(2):
        counter.office.account.goes_wrong(operation="bulk_create_events", kind="status", status=403)
    assert counter.refused() == (409, "access_lost")
    assert counter.office.connection().status is ConnectionStatus.RECONNECT_REQUIRED
    assert counter.refused() == (409, "reconnect_required")


def test_a_used_up_limit_is_a_503_that_says_when_to_come_back(counter: Counter) -> None:
    counter.office.account.goes_wrong(operation="bulk_create_events", kind="status", status=429)
    answer = counter.asks()
    assert (answer.status, answer.document["code"]) == (503, "klaviyo_throttled")
    assert int(answer.headers["retry-after"]) >= 1


def test_what_klaviyo_refuses_is_told_in_its_words(counter: Counter) -> None:
    for operation in ("bulk_create_events", "create_event"):
        counter.office.account.goes_wrong(operation=operation, kind="status", status=400)
    answer = counter.asks()
    assert (answer.status, answer.document["code"]) == (422, "klaviyo_refused")
    assert answer.document["metric"] in answer.document["detail"]


def test_no_call_begins_when_the_time_is_over(counter: Counter) -> None:
    calls = counter.office.calls()
    counter.late = True
    assert counter.refused() == (503, "out_of_time")
    assert counter.office.calls() == calls


def test_only_admins_may(counter: Counter) -> None:
    assert counter.refused(key=counter.key(Scope.BALANCE_WRITE)) == (403, "missing_scope")
    assert counter.refused(key="nobody")[0] == 401
    assert counter.office.account.stored_events() == []
