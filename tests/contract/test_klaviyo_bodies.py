"""Every request body we make, against Klaviyo's own documents: its API contract, and the models of its SDK.

The contract allows unknown keys everywhere, so a misspelt field would pass; the SDK's models drop what they do not
know, so a body that comes back from them whole has none.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_client.models.event_create_query_v2 import EventCreateQueryV2
from openapi_client.models.events_bulk_create_job import EventsBulkCreateJob
from openapi_client.models.flow_create_query import FlowCreateQuery
from openapi_client.models.profile_import_job_create_query import ProfileImportJobCreateQuery
from openapi_client.models.profile_upsert_query import ProfileUpsertQuery
from openapi_client.models.webhook_create_query import WebhookCreateQuery

from local.fake_klaviyo.contract import Contract
from local.fake_klaviyo.endpoints.profile_imports import check_import
from local.fake_klaviyo.event_checks import check_bulk_create_events, check_create_event
from loyalty.adapters.klaviyo import bulk_profiles, operations, payloads
from loyalty.adapters.klaviyo.bulk_profiles import BulkProfiles
from loyalty.adapters.klaviyo.operations import Operation
from loyalty.contracts.builder import build_webhook, draft_of
from loyalty.domain.adjustments import Direction
from loyalty.domain.catalogue import event_type
from loyalty.domain.identity import Address, MemberId
from loyalty.domain.klaviyo_errors import KlaviyoRefused
from loyalty.domain.ledger.commands import Action, Adjust, Earn
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.samples import sample_of, sampled_types
from loyalty.domain.telling import MetricEvent, ProfileState, event_of, profile_of
from loyalty.ports import Receipt
from loyalty.services.posting import Ledger
from tests.builders import a_command, a_program
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_ledger import MemoryLedger

DOCS = os.environ.get("TALLYHOOK_KLAVIYO_DOCS", "")
needs_documents = pytest.mark.skipif(
    not DOCS, reason="TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's openapi.json and examples"
)

OPERATIONS = [each for each in vars(operations).values() if isinstance(each, Operation)]
MODELS: dict[str, Callable[[Any], Any]] = {
    "bulk_create_events": EventsBulkCreateJob.from_dict,
    "bulk_import_profiles": ProfileImportJobCreateQuery.from_dict,
    "create_event": EventCreateQueryV2.from_dict,
    "create_flow": FlowCreateQuery.from_dict,
    "create_or_update_profile": ProfileUpsertQuery.from_dict,
    "create_webhook": WebhookCreateQuery.from_dict,
}
PROGRAM = a_program(terms=Terms(expiry=AfterEarning(Period(days=30))))
DETAILS = {"review_id": "r-1", "review_kind": "review", "verified": True, "rating": 4, "product": "Candle"}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
addresses = st.from_regex(r"[a-z0-9._]{1,20}@(shop|klaviyo-demo)\.com", fullmatch=True).filter(
    lambda text: ".." not in text and not text.startswith(".") and ".@" not in text
)
details = st.dictionaries(
    st.text(min_size=1, max_size=20),
    texts | st.integers(-(2**60), 2**60) | st.floats(allow_nan=True) | st.booleans(),
    max_size=6,
)
actions = st.one_of(
    st.builds(Earn, st.integers(1, 10**9)).map(lambda action: (action, "points_earned_review")),
    st.builds(Adjust, st.integers(1, 10**9)).map(lambda action: (action, "points_adjusted_up")),
    st.builds(Adjust, st.integers(-(10**9), -1)).map(lambda action: (action, "points_adjusted_down")),
)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.read(Path(DOCS) / "openapi.json")


def problems(contract: Contract, operation: str, body: bytes) -> list[str]:
    return [f"{each.pointer}: {each.detail}" for each in contract.request_problems(operation, json.loads(body))]


def lost_in_the_sdk(operation: str, body: bytes) -> list[str]:
    """What is no more what it was after the SDK's model has read and written the body.

    Of re-entry criteria the SDK cannot read any: its model takes the unit, a word in the contract, for an object.
    """
    sent = json.loads(body)
    if operation == "create_flow":
        del sent["data"]["attributes"]["definition"]["reentry_criteria"]
    return list(_differences(sent, MODELS[operation](sent).to_dict(), ""))


def _differences(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, part in ours.items():
            yield from _differences(part, theirs.get(name), f"{place}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (part, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(part, other, f"{place}/{number}")
    elif ours != (theirs.isoformat() if isinstance(theirs, datetime) else theirs):
        yield f"{place}: {ours!r} became {theirs!r}"


def entries(posts: list[tuple[Address, Action, str, str, dict[str, Any]]]) -> list[tuple[Address, Entry]]:
    """Post to the ledger; the entries of what was not refused."""
    store = MemoryLedger()
    clock = FixedClock()
    ledger = Ledger(store, clock, SeededRandomness())
    written = []
    for address, action, event, reason, more in posts:
        clock.advance(days=1)
        command = a_command(action, event_type=event, reason=reason, details=more, at=clock.now())
        answer = ledger.post(PROGRAM, address, command, newcomer=True)
        if isinstance(answer, Receipt):
            ids: list[tuple[MemberId, int]] = [(answer.member_id, answer.seq)]
            written += [(address, entry) for entry in store.entries(PROGRAM.slug, ids)]
    return written


def requests_for(events: list[MetricEvent]) -> list[payloads.BulkEvents]:
    """All requests it takes to send the events."""
    found = []
    while events:
        found.append(payloads.bulk_events(events))
        events = events[found[-1].count :]
    return found


EXAMPLES: dict[str, bytes] = {
    "create_webhook": payloads.create_webhook(
        "Tallyhook candles",
        "https://loyalty.example.com/v1/webhooks/klaviyo/candles",
        "s" * 44,
        ("event:klaviyo.submitted_review", "event:klaviyo.submitted_rating"),
    ),
}
_BUILT = build_webhook(
    PROGRAM, "https://loyalty.example.com/v1", "tk_x", direction=Direction.INCREASE, idea="birthday", amount=50
)
EXAMPLES["create_flow"] = payloads.create_flow(draft_of(_BUILT, "Birthday", ""))
_SARAH = Address("email", "sarah.mason@klaviyo-demo.com")
for _, _entry in entries([(_SARAH, Earn(50), "points_earned_review", "Review", DETAILS)]):
    _told = event_of(PROGRAM, _entry, _SARAH.value)
    EXAMPLES["create_event"] = payloads.create_event(_told)
    EXAMPLES["bulk_create_events"] = payloads.bulk_events([_told]).body


def a_profile_body(lots: dict[str, int]) -> bytes:
    store = MemoryLedger()
    ledger = Ledger(store, FixedClock(), SeededRandomness())
    ledger.post(PROGRAM, _SARAH, a_command(Earn(50)), newcomer=True)
    member = ledger.find(PROGRAM, _SARAH)
    assert member is not None
    profile = profile_of(PROGRAM, replace(member, lots=lots))
    assert profile is not None
    return payloads.import_profile(profile)


def a_profile(email: str, **properties: Any) -> ProfileState:
    return ProfileState(email, {"loyalty_points_balance": 0, **properties}, ("loyalty_next_expiry_date",))


def in_bulk(*profiles: ProfileState) -> bytes:
    bulk = BulkProfiles()
    assert all(bulk.add(profile) for profile in profiles)
    return bulk.body


EXAMPLES["bulk_import_profiles"] = in_bulk(a_profile("mo@klaviyo-demo.com"), a_profile("ada@klaviyo-demo.com"))
EXAMPLES["create_or_update_profile"] = a_profile_body({"2026-09-30": 50})


@needs_documents
@pytest.mark.parametrize("operation", EXAMPLES)
def test_every_body_is_valid_against_the_contract(contract: Contract, operation: str) -> None:
    assert problems(contract, operation, EXAMPLES[operation]) == []


@needs_documents
def test_a_profile_with_something_to_remove_is_valid_against_the_contract(contract: Contract) -> None:
    body = a_profile_body({})
    assert "loyalty_next_expiry_date" in json.loads(body)["data"]["meta"]["patch_properties"]["unset"]
    assert problems(contract, "create_or_update_profile", body) == []


@pytest.mark.parametrize("operation", EXAMPLES)
def test_every_body_comes_back_whole_from_the_sdks_model(operation: str) -> None:
    """Nothing is misspelt, misplaced or of a type the SDK would not send."""
    assert lost_in_the_sdk(operation, EXAMPLES[operation]) == []


@needs_documents
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operations_and_limits_are_the_published_ones(contract: Contract, operation: Operation) -> None:
    document = json.loads((Path(DOCS) / "openapi.json").read_text())
    ((path, method, described),) = [
        (path, method, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
        if isinstance(described, dict) and described.get("operationId") == operation.name
    ]
    assert method == operation.method.lower()
    # What is about one thing has its id behind the path, and perhaps a part of it behind that.
    assert path.partition("/{")[0] == operation.path
    published = described["x-klaviyo-ratelimit"]
    units = {1: "s", 60: "m", 24 * 60 * 60: "d"}
    assert [f"{window.calls}/{units[window.seconds]}" for window in operation.windows] == list(published.values())


@needs_documents
def test_the_revision_is_the_documents(contract: Contract) -> None:
    document = json.loads((Path(DOCS) / "openapi.json").read_text())
    assert document["info"]["version"] == operations.REVISION


@needs_documents
@settings(max_examples=30)
@given(st.lists(st.tuples(addresses, actions, texts, details), min_size=1, max_size=12))
def test_bodies_of_any_entries_are_valid(contract: Contract, posts: list[Any]) -> None:
    """Whatever the reasons, details and balances are: the contract, Klaviyo's written rules and our schemas hold.

    Every third event is told afterwards, as back-fill.
    """
    made = entries(
        [(Address("email", email), action, event, reason, more) for email, (action, event), reason, more in posts]
    )
    told = [event_of(PROGRAM, entry, address.value) for address, entry in made]
    events = [replace(event, backfill=number % 3 == 0) for number, event in enumerate(told)]
    now = START + timedelta(days=100)
    for request in requests_for(events):
        body = json.loads(request.body)
        assert problems(contract, "bulk_create_events", request.body) == []
        check_bulk_create_events(body, now)
        assert lost_in_the_sdk("bulk_create_events", request.body) == []
    for event, (_, entry) in zip(events, made, strict=True):
        single = payloads.create_event(event)
        check_create_event(json.loads(single), now)
        assert problems(contract, "create_event", single) == []
        assert lost_in_the_sdk("create_event", single) == []
        if entry.event_type != "points_earned_review":
            schema = _without_collisions(event_type(entry.event_type).schema, entry)
            assert list(Draft202012Validator(schema).iter_errors(dict(event.properties))) == []


@needs_documents
def test_samples_hold_to_the_contract_together_and_alone(contract: Contract) -> None:
    """R153: one bulk request has them all, and each goes alone where that is refused."""
    samples = [sample_of(PROGRAM, kind, "sarah.mason@klaviyo-demo.com", START) for kind in sampled_types(PROGRAM)]
    (request,) = requests_for(samples)
    bodies = [("bulk_create_events", request.body)]
    bodies += [("create_event", payloads.create_event(sample)) for sample in samples]
    check_bulk_create_events(json.loads(request.body), START)
    for operation, body in bodies:
        assert problems(contract, operation, body) == []
        assert lost_in_the_sdk(operation, body) == []


def _without_collisions(schema: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """A made-up detail may have the name of an optional property, and another type."""
    made_up = set(entry.private.details) if entry.private else set()
    kept = {name: each for name, each in schema["properties"].items() if name not in made_up - set(schema["required"])}
    return {**schema, "properties": kept}


SMALL_EVENTS, SMALL_BYTES = 20, 9_000


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12_000) | st.integers(0, 400)), min_size=1, max_size=70))
def test_requests_of_any_events_are_sized_and_hold_each_event_once(given_events: list[tuple[int, int]]) -> None:
    """Never more events or bytes than allowed, filled from the first event on, no id twice; with limits turned down."""
    happened = datetime(2026, 8, 20, tzinfo=UTC)
    events = [
        MetricEvent(f"m{member}@klaviyo-demo.com", f"m-{i:010d}", "Points Added", happened, {"reason": "ö" * length})
        for i, (member, length) in enumerate(given_events)
    ]
    with patch.multiple(payloads, MAX_EVENTS=SMALL_EVENTS, MAX_BYTES=SMALL_BYTES):
        requests = requests_for(events)
    sent: list[str] = []
    for request in requests:
        elements = json.loads(request.body)["data"]["attributes"]["events-bulk-create"]["data"]
        ids = [event["attributes"]["unique_id"] for each in elements for event in each["attributes"]["events"]["data"]]
        people = [each["attributes"]["profile"]["data"]["attributes"]["email"] for each in elements]
        places = [position for element in request.places for position in element]
        assert len(people) == len(set(people))
        assert len(request.body) <= SMALL_BYTES or request.count == 1
        assert request.count == len(ids) <= SMALL_EVENTS
        assert [events[len(sent) + position].unique_id for position in places] == ids
        sent += sorted(ids)
        if request.count < SMALL_EVENTS and len(sent) < len(events):
            next_one = len(events[len(sent)].properties["reason"].encode())
            assert len(request.body) + next_one > SMALL_BYTES - 1_500
    assert sent == [event.unique_id for event in events]


SMALL_PROFILES = 7


@given(st.lists(st.integers(0, 3_000), max_size=40))
def test_bulk_imports_of_any_profiles_are_sized_and_hold_each_once(lengths: list[int]) -> None:
    """R28: never more profiles or bytes than allowed, and full before the next begins; with limits turned down."""
    profiles = [a_profile(f"m{i}@klaviyo-demo.com", note="ö" * length) for i, length in enumerate(lengths)]
    requests: list[BulkProfiles] = [BulkProfiles()]
    with patch.object(bulk_profiles, "MAX_PROFILES", SMALL_PROFILES), patch.object(bulk_profiles, "MAX_BYTES", 9_000):
        for profile in profiles:
            if not requests[-1].add(profile):
                requests.append(BulkProfiles())
                assert requests[-1].add(profile)
    held = [json.loads(request.body)["data"]["attributes"]["profiles"]["data"] for request in requests]
    assert [each["attributes"]["email"] for part in held for each in part] == [each.email for each in profiles]
    for request, after in zip(requests, held[1:], strict=False):
        first = len(json.dumps(after[0], separators=(",", ":"), ensure_ascii=False).encode())
        assert len(request) == SMALL_PROFILES or len(request.body) + first + 1 > 9_000
    assert all(len(request) <= SMALL_PROFILES and len(request.body) <= 9_000 for request in requests)
    if profiles:
        check_import(json.loads(requests[0].body), START)


def test_a_profile_that_no_request_can_hold_is_refused() -> None:
    """docs/klaviyo.md 4: 100 KB a profile."""
    with pytest.raises(KlaviyoRefused, match="100 KB"):
        BulkProfiles().add(a_profile("mo@klaviyo-demo.com", note="x" * 100_000))


def test_a_part_of_a_request_is_as_if_it_had_been_filled_so() -> None:
    profiles = [a_profile(f"m{i}@klaviyo-demo.com") for i in range(5)]
    bulk = BulkProfiles()
    assert all(bulk.add(profile) for profile in profiles)
    assert bulk.part([1, 3]).body == in_bulk(profiles[1], profiles[3])
