"""Taking deliveries in: authenticity first, then every review queued, and nothing stored of what is not authentic."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loyalty.contracts.review_messages import ReviewMessage, UnusableMessage, parse_message
from loyalty.domain.connection import Webhook
from loyalty.domain.errors import Invalid, LoyaltyError, Misconfigured, NotFound, Transient, Unauthenticated
from loyalty.services.intake_reviews import Intake, IntakeReviews
from loyalty.services.recent_programs import RecentPrograms
from tests.builders import a_program
from tests.deliveries import (
    RATING,
    SECRET,
    TEXT,
    WEBHOOK_ID,
    a_body,
    a_listening_program,
    a_review_event,
    signed,
)
from tests.fakes.clocks import FixedClock
from tests.fakes.memory_oauth import MemoryNotes
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue
from tests.fakes.memory_vault import MemoryVault

DOCS = os.environ.get("TALLYHOOK_KLAVIYO_DOCS")


class World:
    """One program that listens, and what is around it."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.vault = MemoryVault()
        self.program = a_listening_program(self.vault)
        self.programs = MemoryPrograms(self.program)
        self.queue = MemoryQueue()
        self.notes = MemoryNotes()
        recent = RecentPrograms(self.programs, self.vault, self.clock)
        self.intake = IntakeReviews(recent, self.queue, self.notes, self.clock)

    def deliver(self, body: bytes, headers: dict[str, str] | None = None, slug: str = "candles") -> Intake:
        return self.intake(slug, signed(body) if headers is None else headers, body, "request-1")

    @property
    def queued(self) -> list[Any]:
        return [parse_message(message.body) for message in self.queue.messages]


@pytest.fixture
def world() -> World:
    return World()


def refusal(world: World, body: bytes, headers: dict[str, str] | None = None, slug: str = "candles") -> LoyaltyError:
    with pytest.raises(LoyaltyError) as raised:
        world.deliver(body, headers, slug)
    assert world.queue.messages == []
    return raised.value


def test_every_review_of_a_delivery_is_queued(world: World) -> None:
    """R102, R103, R107: reviews and ratings alike."""
    outcome = world.deliver(a_body(a_review_event(1), a_review_event(2, topic=RATING)))
    assert outcome.answer == {"queued": 2, "unusable": 0, "ignored": 0}
    assert [message.review_key for message in world.queued] == [f"{1:032x}", f"{2:032x}"]
    assert {message.group for message in world.queue.messages} == {"candles"}
    assert world.queue.messages[0].attributes == {"program": "candles", "correlation_id": "request-1"}


@pytest.mark.skipif(not DOCS, reason="TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's examples")
def test_the_documented_delivery_is_taken_as_it_stands(world: World) -> None:
    """Its second event has a space in its datetime."""
    body = (Path(str(DOCS)) / "examples/system_webhook_delivery.json").read_bytes()
    outcome = world.deliver(body)
    assert outcome.answer == {"queued": 2, "unusable": 0, "ignored": 0}
    assert [message.verified for message in world.queued] == [True, False]
    assert world.queued[0].review_key == "925e385b52fb405715f3616c337cc65c"


def test_one_bad_event_does_not_lose_the_others(world: World) -> None:
    """The bad one is queued too, with its reason, so that a decision on it is recorded."""
    events = [a_review_event(1), a_review_event(2, review_email="nobody"), "no event", a_review_event(3)]
    outcome = world.deliver(a_body(*events))
    assert outcome.answer == {"queued": 2, "unusable": 2, "ignored": 0}
    kinds = [type(message) for message in world.queued]
    assert kinds == [ReviewMessage, UnusableMessage, UnusableMessage, ReviewMessage]
    assert world.queued[1].code == "invalid_email"


def test_other_topics_are_acknowledged_and_counted(world: World) -> None:
    other = a_review_event(1, topic="event:klaviyo.ready_to_review")
    outcome = world.deliver(a_body(other, a_review_event(2)))
    assert outcome.answer == {"queued": 1, "unusable": 0, "ignored": 1}
    assert outcome.counts == {"ReviewsReceived": 1, "ReviewsUnusable": 0, "OtherEventsIgnored": 1}


def test_a_delivery_of_nothing_is_acknowledged(world: World) -> None:
    assert world.deliver(a_body()).answer == {"queued": 0, "unusable": 0, "ignored": 0}


def test_more_events_than_klaviyo_documents_are_taken_in(world: World) -> None:
    """A refusal would be repeated for two days and then end in a disabled webhook."""
    outcome = world.deliver(a_body(*[a_review_event(number) for number in range(1, 1202)]))
    assert outcome.queued == 1201


def test_the_text_of_a_review_does_not_reach_the_queue(world: World) -> None:
    world.deliver(a_body(a_review_event(1), a_review_event(2, review_email="nobody")))
    assert all(TEXT not in message.body and "Sarah M" not in message.body for message in world.queue.messages)


def test_the_digest_of_a_text_is_the_programs_own(world: World) -> None:
    """Equal within a program, so that copied reviews can be found; useless to compare with another program's."""
    other = a_listening_program(world.vault, slug="soaps", id_key="f" * 32)
    world.programs.create(other)
    body = a_body(a_review_event(1), a_review_event(2, review_content=TEXT.upper()))
    world.deliver(body)
    world.deliver(body, slug="soaps")
    first, second, elsewhere, _ = [message.text_digest for message in world.queued]
    assert first == second
    assert first != elsewhere


@pytest.mark.parametrize("slug", ["unknown", "Candles", "candles ", "a--", "", "../x", "\ud800", "x" * 200])
def test_an_unknown_program_is_not_found(world: World, slug: str) -> None:
    error = refusal(world, a_body(a_review_event()), slug=slug)
    assert isinstance(error, NotFound)
    assert error.code == "unknown_program"


@pytest.mark.parametrize("missing", ["klaviyo-signature", "klaviyo-timestamp", "klaviyo-webhook-id"])
def test_a_missing_header_is_a_bad_signature(world: World, missing: str) -> None:
    body = a_body(a_review_event())
    headers = signed(body)
    del headers[missing]
    error = refusal(world, body, headers)
    assert isinstance(error, Unauthenticated)
    assert error.code == "invalid_signature"


def test_a_wrong_secret_is_a_bad_signature_before_anything_is_read(world: World) -> None:
    """R120: not even whether the body is JSON is told to a stranger."""
    for body in (a_body(a_review_event()), b"no json"):
        error = refusal(world, body, signed(body, secret="somebody-elses-secret"))
        assert (type(error), error.code) == (Unauthenticated, "invalid_signature")


def test_the_secret_of_another_program_is_a_bad_signature(world: World) -> None:
    other = a_listening_program(world.vault, "the-other-secret-01234", slug="soaps")
    world.programs.create(other)
    body = a_body(a_review_event())
    assert isinstance(refusal(world, body, signed(body), slug="soaps"), Unauthenticated)


def test_a_webhook_that_is_not_the_programs_is_a_bad_signature(world: World) -> None:
    body = a_body(a_review_event(), webhook_id="01OTHER")
    error = refusal(world, body, signed(body, webhook_id="01OTHER"))
    assert error.code == "invalid_signature"


def test_a_header_that_differs_from_the_signed_body_is_refused(world: World) -> None:
    """The header is not signed, the body is (R120)."""
    body = a_body(a_review_event(), webhook_id="01OTHER")
    error = refusal(world, body, signed(body))
    assert isinstance(error, Unauthenticated)
    assert error.code == "webhook_mismatch"


def test_a_program_without_a_webhook_takes_nothing(world: World) -> None:
    for program in (a_program(slug="bare"), a_program(slug="unconnected", connection=None)):
        world.programs.create(program)
        body = a_body(a_review_event())
        assert isinstance(refusal(world, body, slug=program.slug), Unauthenticated)


def test_the_decoy_that_stands_in_for_missing_secrets_opens_nothing(world: World) -> None:
    """Even somebody who knew it could not get in with it."""
    world.programs.create(a_program(slug="bare"))
    body = a_body(a_review_event())
    headers = signed(body, secret=world.intake.decoy)
    assert isinstance(refusal(world, body, headers, slug="bare"), Unauthenticated)
    assert isinstance(refusal(world, body, headers, slug="unknown"), NotFound)


def test_an_authentic_body_that_is_no_delivery_is_said_to_be_so(world: World) -> None:
    for body, code in ((b"no json", "malformed_json"), (b"{}", "malformed_delivery")):
        error = refusal(world, body)
        assert isinstance(error, Invalid)
        assert error.code == code


def test_both_secrets_are_good_while_one_is_rotated(world: World) -> None:
    sealed = tuple(world.vault.encrypt(world.program.slug, secret) for secret in (SECRET, "the-new-secret-012345"))
    rotate(world, *sealed)
    body = a_body(a_review_event())
    world.deliver(body)
    world.deliver(body, signed(body, secret="the-new-secret-012345"))
    assert len(world.queue.messages) == 2


def test_a_rotated_secret_is_good_at_once_and_the_old_one_is_not(world: World) -> None:
    """What is remembered of a program is looked up again before a signature is called wrong."""
    body = a_body(a_review_event())
    world.deliver(body)
    rotate(world, world.vault.encrypt(world.program.slug, "the-new-secret-012345"))
    world.deliver(body, signed(body, secret="the-new-secret-012345"))
    with pytest.raises(Unauthenticated):
        world.deliver(body)
    assert len(world.queue.messages) == 2


def test_a_program_opened_a_moment_ago_is_found(world: World) -> None:
    body = a_body(a_review_event())
    with pytest.raises(NotFound):
        world.deliver(body, slug="soaps")
    world.programs.create(a_listening_program(world.vault, slug="soaps"))
    assert world.deliver(body, slug="soaps").queued == 1


def test_a_burst_costs_one_look_up_and_one_decryption(world: World) -> None:
    loads = counted(world)
    body = a_body(a_review_event())
    for _ in range(5):
        world.deliver(body)
    assert (len(loads), world.vault.decryptions) == (1, 1)
    world.clock.advance(seconds=6)
    world.deliver(body)
    assert (len(loads), world.vault.decryptions) == (2, 1)


def test_bad_signatures_cost_no_decryptions_however_many_come(world: World) -> None:
    """And an unknown program costs as many reads as a known one."""
    loads = counted(world)
    body = a_body(a_review_event())
    for slug, expected in (("candles", 3), ("unknown", 6)):
        for _ in range(3):
            with pytest.raises(LoyaltyError):
                world.deliver(body, signed(body, secret="a-wrong-secret-0123"), slug)
        assert len(loads) == expected
    assert world.vault.decryptions == 1


def test_a_queue_in_trouble_is_the_senders_to_repeat(world: World) -> None:
    """Nothing was acknowledged, so Klaviyo sends it all again; what was stored already pays once."""
    world.queue.troubles = 1
    body = a_body(a_review_event(1), a_review_event(2))
    with pytest.raises(Transient):
        world.deliver(body)
    world.deliver(body)
    assert {message.review_key for message in world.queued} == {f"{1:032x}", f"{2:032x}"}


def test_a_secret_that_cannot_be_opened_is_an_operators_matter(world: World) -> None:
    rotate(world, world.vault.encrypt(a_program(slug="soaps").slug, SECRET))
    body = a_body(a_review_event())
    with pytest.raises(Misconfigured):
        world.deliver(body)


def rotate(world: World, *sealed: bytes) -> None:
    stored = world.programs.programs[world.program.slug]
    assert stored.connection
    webhook = Webhook(WEBHOOK_ID, (), sealed)
    world.programs.save_connection(stored.slug, replace(stored.connection, webhooks=(webhook,)))


def counted(world: World) -> list[str]:
    loads: list[str] = []
    load = world.programs.load

    def counting(slug: Any) -> Any:
        loads.append(slug)
        return load(slug)

    world.programs.load = counting  # type: ignore[method-assign]
    return loads


def test_an_outcome_counts_and_names_no_person(world: World) -> None:
    outcome = world.deliver(a_body(a_review_event()))
    assert "klaviyo-demo" not in json.dumps([dict(outcome.ids), dict(outcome.counts), outcome.message])


def test_an_authentic_delivery_is_noted_and_no_other(world: World) -> None:
    """R9: when Klaviyo last delivered."""
    with pytest.raises(Unauthenticated):
        world.deliver(a_body(a_review_event()), {})
    assert world.notes.seen == {}
    world.deliver(a_body(a_review_event()))
    assert world.notes.last_seen(world.program.slug).delivery_at == world.clock.now()
