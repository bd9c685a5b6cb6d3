"""The balance API's use case: once under its key, item by item, safe to send again (R121-R131, R139, R171)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty.contracts.adjustments import AdjustmentResult
from loyalty.contracts.builder import build_webhook
from loyalty.contracts.members import MemberForm
from loyalty.domain.adjustments import AdjustmentRule, Direction, UnknownMember
from loyalty.domain.api_keys import Scope
from loyalty.domain.errors import (
    Conflict,
    Forbidden,
    Misconfigured,
    NotFound,
    Rejected,
    Transient,
    Unauthenticated,
)
from loyalty.domain.identity import Address, MemberId
from loyalty.domain.ledger.entry import DeliveryState, Entry, EntryKind, Source
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import BirthdayRule, Overdraft, Terms
from loyalty.domain.program import Program
from loyalty.ports import Plan
from loyalty.services.adjust_balances import AdjustBalances
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.posting import ATTEMPTS, Ledger
from loyalty.services.read_members import Members
from tests.builders import SARAH, a_program
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys, MemoryUnfinished
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms

FLOW = "VeYaWr"
EMAIL = SARAH.value


class Unsteady(MemoryLedger):
    """A ledger that may fail before, or with the answer lost after, the commits that are named by their number."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.failure: Exception = Transient("busy")
        self.fails_before: set[int] = set()
        self.fails_after: set[int] = set()

    def commit(self, plan: Plan) -> None:
        self.commits += 1
        number = self.commits
        if number in self.fails_before:
            raise self.failure
        super().commit(plan)
        if number in self.fails_after:
            raise Transient("no answer")


@dataclass
class Api:
    """The use case on fakes, with a key for its program."""

    program: Program = field(default_factory=a_program)
    store: Unsteady = field(default_factory=Unsteady)
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        randomness, keys = SeededRandomness(), MemoryKeys()
        self.programs = MemoryPrograms(self.program)
        self.issued = KeepKeys(keys, self.clock, randomness).create(
            self.program.slug, "Flows", [Scope.BALANCE_WRITE], per_minute=6000
        )
        self.ledger = Ledger(self.store, self.clock, randomness)
        self.unfinished = MemoryUnfinished()
        self.adjust = AdjustBalances(
            AdmitCaller(keys, self.programs, MemoryCounter(), self.clock),
            self.ledger,
            self.unfinished,
            self.clock,
            randomness,
        )

    def obeys(self, **rule: Any) -> None:
        self.program = replace(self.program, adjustment_rule=AdjustmentRule(**rule))
        self.programs.programs[self.program.slug] = self.program

    def send(
        self,
        *items: dict[str, Any],
        direction: Direction = Direction.INCREASE,
        flow: str = "",
        header: str = "",
        until: datetime | None = None,
    ) -> tuple[AdjustmentResult, ...]:
        headers = {"api-key": self.issued.text, "x-klaviyo-flow-id": flow, "idempotency-key": header}
        body = json.dumps(items).encode()
        limit = until or self.clock.now() + timedelta(seconds=20)
        return self.adjust(self.program.slug, direction, headers, body, until=limit).results

    def journal(self, email: str = EMAIL) -> list[Entry]:
        member = self.ledger.find(self.program, Address("email", email))
        return list(self.store.journal(self.program.slug, member.member_id)) if member else []

    def points(self, email: str = EMAIL) -> list[int]:
        return [entry.points for entry in self.journal(email)]


def item(amount: int = 100, *, email: str = EMAIL, reason: str = "Bonus", key: str = "") -> dict[str, Any]:
    facts = {"email": email, "amount": amount, "reason": reason}
    return facts | ({"idempotency_key": key} if key else {})


def codes(results: Iterable[AdjustmentResult]) -> list[str]:
    return [result.error.code if result.error else result.status for result in results]


@pytest.fixture
def api() -> Api:
    return Api()


def test_an_increase_answers_entry_and_balance_and_is_told_klaviyo(api: Api) -> None:
    """R79."""
    (result,) = api.send(item(reason='Für "Kerze" <b>'), flow=FLOW)
    (entry,) = api.journal()
    assert (result.status, result.points, result.balance, result.replayed) == ("posted", 100, 100, False)
    assert result.entry_id == entry.id
    assert entry.kind is EntryKind.ADJUST
    assert entry.private
    assert entry.private.reason == 'Für "Kerze" <b>'
    assert (entry.actor, entry.source) == (api.issued.key.key_id, Source("flow", FLOW))
    assert (entry.event_type, entry.delivery.state) == ("points_adjusted_up", DeliveryState.OWED)


def test_a_decrease_takes_points_and_never_more_than_there_are(api: Api) -> None:
    """R83."""
    api.send(item(100))
    assert codes(api.send(item(30), direction=Direction.DECREASE)) == ["posted"]
    assert codes(api.send(item(71), direction=Direction.DECREASE)) == ["insufficient_points"]
    assert api.points() == [100, -30]
    assert (api.journal()[1].event_type, api.journal()[1].source) == ("points_adjusted_down", Source("api"))


def test_a_program_may_let_a_decrease_stop_at_zero(api: Api) -> None:
    api.programs.programs[api.program.slug] = replace(api.program, terms=Terms(overdraft=Overdraft.FLOOR_AT_ZERO))
    api.send(item(100))
    (result,) = api.send(item(130), direction=Direction.DECREASE)
    assert (result.points, result.balance) == (-100, 0)


def test_one_refused_item_does_not_hide_the_others(api: Api) -> None:
    api.send(item(50))
    results = api.send(item(10), item(99), item(5), direction=Direction.DECREASE)
    assert codes(results) == ["posted", "insufficient_points", "posted"]
    assert [result.index for result in results] == [0, 1, 2]
    assert api.points() == [50, -10, -5]


def test_of_an_invalid_request_nothing_happens(api: Api) -> None:
    with pytest.raises(Rejected) as rejected:
        api.send(item(10), item(0), {"email": "x"})
    assert len(rejected.value.facts["errors"]) == 4
    assert api.points() == []


@pytest.mark.parametrize(
    ("unknown", "standing"), [(UnknownMember.CANDIDATE, Standing.CANDIDATE), (UnknownMember.MEMBER, Standing.MEMBER)]
)
def test_an_unknown_address_comes_in_as_the_program_wishes(
    api: Api, unknown: UnknownMember, standing: Standing
) -> None:
    """R126. What reviews bring in is another setting."""
    api.obeys(unknown_member=unknown)
    assert codes(api.send(item())) == ["posted"]
    member = api.ledger.find(api.program, SARAH)
    assert member
    assert (member.standing, member.profile.email) == (standing, EMAIL)


def test_an_unknown_address_may_be_refused_and_is_never_brought_in_by_a_decrease(api: Api) -> None:
    assert codes(api.send(item(), direction=Direction.DECREASE)) == ["unknown_member"]
    api.obeys(unknown_member=UnknownMember.REFUSE)
    assert codes(api.send(item())) == ["unknown_member"]
    assert api.ledger.find(api.program, SARAH) is None


def test_template_text_in_a_reason_is_posted_and_warned_of(api: Api) -> None:
    (result,) = api.send(item(reason="For {{ event.product }}"))
    assert (result.status, [warning.code for warning in result.warnings]) == ("posted", ["unrendered_template"])


@pytest.mark.parametrize("header", ["", "step-1"])
def test_a_step_that_klaviyo_sends_17_times_in_a_day_is_one_entry(api: Api, header: str) -> None:
    """R139: the same key, whatever happens to the balance meanwhile; the answer differs only in saying so."""
    sent = item(key="" if header else "step-1")
    answers = []
    for _ in range(17):
        answers.append(api.send(sent, flow=FLOW, header=header)[0])
        api.clock.advance(minutes=84)
        api.send(item(1), flow="Other1")
    assert [answer.replayed for answer in answers] == [False] + [True] * 16
    assert len({answer.model_copy(update={"replayed": None}).model_dump_json() for answer in answers}) == 1
    assert api.points().count(100) == 1


def test_a_step_that_arrives_many_times_at_once_is_one_entry(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.send(item(key="step-1"), flow=FLOW)[0], range(40)))
    assert api.points() == [100]
    assert len({(answer.entry_id, answer.balance) for answer in answers}) == 1


def test_a_key_for_something_else_is_refused_and_harms_nothing(api: Api) -> None:
    """200 with a refusal: a 4xx would have Klaviyo skip the step, which has paid already."""
    api.send(item(key="k"))
    assert codes(api.send(item(5, key="k"), item(7))) == ["idempotency_key_reused", "posted"]
    assert codes(api.send(item(key="k"), direction=Direction.DECREASE)) == ["idempotency_key_reused"]
    assert api.points() == [100, 7]


def test_one_header_key_covers_every_item_of_its_request(api: Api) -> None:
    for _ in range(3):
        api.send(item(1), item(1), item(2, email="bill.joel@klaviyo-demo.com"), header="request-1")
    assert api.points() == [1, 1]
    assert api.points("bill.joel@klaviyo-demo.com") == [2]


def test_requests_without_a_key_each_count(api: Api) -> None:
    api.send(item())
    api.send(item())
    assert api.points() == [100, 100]


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_request_without_keys_that_stopped_half_way_goes_on_when_it_is_sent_again(api: Api, lost: str) -> None:
    """Whether the second item's commit, or only its answer, was lost."""
    (api.store.fails_before if lost == "before" else api.store.fails_after).add(2)
    items = (item(1), item(2), item(3))
    with pytest.raises(Transient):
        api.send(*items)
    assert [result.replayed for result in api.send(*items)] == [True, lost == "after", False]
    assert api.points() == [1, 2, 3]
    api.send(*items)
    assert api.points() == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize("failure", [Conflict("first"), Misconfigured("no permission"), RuntimeError("a bug")])
def test_whatever_stops_a_request_without_keys_it_goes_on_when_it_is_sent_again(api: Api, failure: Exception) -> None:
    """All of it is a 503, which Klaviyo sends again; what was done by then is not done twice."""
    api.store.fails_before, api.store.failure = set(range(2, 2 + ATTEMPTS)), failure
    items = (item(1), item(2))
    with pytest.raises(type(failure)):
        api.send(*items)
    api.store.fails_before.clear()
    assert [result.replayed for result in api.send(*items)] == [True, False]
    assert api.points() == [1, 2]


def test_only_the_very_same_request_goes_on(api: Api) -> None:
    api.store.fails_before.add(2)
    with pytest.raises(Transient):
        api.send(item(1), item(2))
    api.send(item(1), item(3))
    assert api.points() == [1, 1, 3]


def test_when_time_runs_out_the_rest_is_done_by_the_next_try(api: Api) -> None:
    with pytest.raises(Transient) as late:
        api.send(item(1), until=api.clock.now())
    assert late.value.code == "out_of_time"
    assert codes(api.send(item(1))) == ["posted"]
    assert api.points() == [1]


def test_a_derived_key_is_the_programs_choice_and_for_flows_only(api: Api) -> None:
    api.obeys(derived_keys=True)
    for _ in range(2):
        api.send(item(1), flow=FLOW)
        api.send(item(2))
    assert api.points() == [1, 2, 2]


def test_a_derived_key_tells_steps_apart(api: Api) -> None:
    api.obeys(derived_keys=True)
    for sent, flow in ((item(1), "A"), (item(1), "B"), (item(2), "A"), (item(1, reason="Other"), "A")):
        api.send(sent, flow=flow)
    api.send(item(1), flow="A", direction=Direction.DECREASE)
    assert api.points() == [1, 1, 2, 1, -1]


def test_a_derived_key_holds_for_24_hours_across_midnight(api: Api) -> None:
    """Klaviyo goes on sending for a day, and a day may begin in between."""
    api.obeys(derived_keys=True)
    assert START.hour == 12
    first = api.send(item(1), flow=FLOW)[0]
    for _ in range(16):
        api.clock.advance(minutes=84)
        (again,) = api.send(item(1), flow=FLOW)
        assert (again.entry_id, again.replayed) == (first.entry_id, True)
    api.clock.time = START + timedelta(hours=24)
    api.send(item(1), flow=FLOW)
    assert api.points() == [1, 1]


def test_a_birthday_flow_pays_on_top_of_the_birthday_points_of_the_program(api: Api) -> None:
    """R138: both, each with a reason of its own."""
    program = replace(api.program, terms=Terms(birthday=BirthdayRule(100)))
    api.programs.programs[program.slug] = program
    form = MemberForm(state="member", birthday=f"1990-{START + timedelta(days=40):%m-%d}")
    _, member = Members(api.ledger).save(program, EMAIL, form, key="", actor="operator")
    api.clock.advance(days=40)
    api.ledger.attend(program, MemberId(member.member_id))
    built = build_webhook(
        program, "https://x", api.issued.text, direction=Direction.INCREASE, idea="birthday", amount=25
    )
    rendered = built.body.replace("{{ person.email }}", EMAIL).replace("{{ person.KlaviyoID }}", "01G")
    for _ in range(2):
        api.send(*json.loads(rendered), flow=FLOW)
    earned, added = [entry for entry in api.journal() if entry.points]
    assert (earned.kind, earned.points, added.kind, added.points) == (EntryKind.EARN, 100, EntryKind.ADJUST, 25)
    reasons = [entry.private.reason for entry in (earned, added) if entry.private]
    assert len(set(reasons)) == 2
    assert all(reasons)


def test_trouble_that_passes_leaves_as_such(api: Api) -> None:
    """The handler makes a 503 of both, which Klaviyo sends again."""

    def conflicted(plan: Plan) -> None:
        raise Conflict("somebody else was first")

    api.store.commit = conflicted  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        api.send(item())


def test_callers_are_admitted_first(api: Api) -> None:
    until = api.clock.now() + timedelta(seconds=20)
    with pytest.raises(Unauthenticated):
        api.adjust("candles", Direction.INCREASE, {}, b"no json", until=until)
    with pytest.raises(NotFound):
        api.adjust("wax", Direction.INCREASE, {"api-key": api.issued.text}, b"no json", until=until)
    reader = KeepKeys(api.adjust.admit.keys, api.clock, SeededRandomness(2)).create(
        api.program.slug, "Reader", [Scope.MEMBERS_READ]
    )
    with pytest.raises(Forbidden):
        api.adjust("candles", Direction.INCREASE, {"api-key": reader.text}, b"no json", until=until)


def test_what_is_reported_counts_what_moved(api: Api) -> None:
    headers = {"api-key": api.issued.text}
    until = api.clock.now() + timedelta(seconds=20)
    body = json.dumps([item(5, key="a"), item(5, key="a"), item(7)]).encode()
    outcome = api.adjust("candles", Direction.INCREASE, headers, body, until=until)
    assert outcome.counts == {
        "AdjustmentsPosted": 2,
        "AdjustmentsReplayed": 1,
        "AdjustmentsRefused": 0,
        "PointsAdded": 12,
        "PointsTaken": 0,
    }
    assert EMAIL not in json.dumps(outcome.ids)
