"""Klaviyo's answers as exceptions."""

import json
from typing import Any

import pytest

from loyalty.adapters.klaviyo.errors import blacked_out, error_of, explanation
from loyalty.domain.errors import LoyaltyError, Misconfigured, Rejected, Transient
from loyalty.domain.klaviyo_errors import (
    KlaviyoForbidden,
    KlaviyoIncompatible,
    KlaviyoRefused,
    KlaviyoUnauthorized,
    KlaviyoUnavailable,
)


def document(*problems: dict[str, Any]) -> bytes:
    return json.dumps({"errors": list(problems)}).encode()


INVALID = {
    "id": "1",
    "status": 400,
    "code": "invalid",
    "title": "Invalid input.",
    "detail": "Invalid email address.",
    "source": {"pointer": "/data/attributes/email"},
}


@pytest.mark.parametrize(
    ("status", "kind", "branch"),
    [
        (400, KlaviyoRefused, Rejected),
        (409, KlaviyoRefused, Rejected),
        (413, KlaviyoRefused, Rejected),
        (422, KlaviyoRefused, Rejected),
        (401, KlaviyoUnauthorized, Misconfigured),
        (403, KlaviyoForbidden, Misconfigured),
        (404, KlaviyoIncompatible, Misconfigured),
        (405, KlaviyoIncompatible, Misconfigured),
        (410, KlaviyoIncompatible, Misconfigured),
        (415, KlaviyoIncompatible, Misconfigured),
        (302, KlaviyoIncompatible, Misconfigured),
        (408, KlaviyoUnavailable, Transient),
        (429, KlaviyoUnavailable, Transient),
        (500, KlaviyoUnavailable, Transient),
        (502, KlaviyoUnavailable, Transient),
        (503, KlaviyoUnavailable, Transient),
        (524, KlaviyoUnavailable, Transient),
    ],
)
def test_the_status_decides_what_an_answer_means(
    status: int, kind: type[LoyaltyError], branch: type[LoyaltyError]
) -> None:
    """A retired revision (410) must not mark events as failed; only refused content does."""
    error = error_of("create_event", status, {}, document(INVALID))
    assert type(error) is kind
    assert isinstance(error, branch)
    assert error.facts["status"] == status


def test_an_error_carries_klaviyos_code_words_and_pointer() -> None:
    error = error_of("create_event", 400, {}, document(INVALID))
    assert isinstance(error, KlaviyoRefused)
    assert error.facts == {
        "operation": "create_event",
        "status": 400,
        "klaviyo_code": "invalid",
        "detail": "Invalid email address.",
        "pointer": "/data/attributes/email",
    }
    assert error.reason == "Invalid email address."
    assert error.pointers == ("/data/attributes/email",)


def test_every_place_that_klaviyo_names_is_kept() -> None:
    other = {**INVALID, "source": {"pointer": "/data/attributes/time"}}
    error = error_of("create_event", 400, {}, document(INVALID, other, {**INVALID, "source": {"parameter": "x"}}))
    assert isinstance(error, KlaviyoRefused)
    assert error.pointers == ("/data/attributes/email", "/data/attributes/time")


def test_an_error_holds_no_address() -> None:
    """What is logged and kept on the entry names nobody (R25)."""
    said = {**INVALID, "detail": "'Sarah.Mason+x@klaviyo-demo.com' is not valid, nor is <bill@klaviyo-demo.com>."}
    error = error_of("create_event", 400, {}, document(said))
    assert "@" not in str(error.facts) + error.message
    assert error.facts["detail"] == "'***' is not valid, nor is <***>."


def test_long_words_are_cut() -> None:
    assert len(explanation(document({**INVALID, "detail": "x" * 1000})).detail) == 300


@pytest.mark.parametrize(
    ("headers", "retry_after"),
    [({"Retry-After": "7"}, 7), ({}, 1), ({"Retry-After": "soon"}, 1), ({"Retry-After": "0"}, 1)],
)
def test_a_429_says_when_to_come_back(headers: dict[str, str], retry_after: int) -> None:
    error = error_of("create_event", 429, headers, b"")
    assert isinstance(error, KlaviyoUnavailable)
    assert (error.code, error.retry_after) == ("klaviyo_throttled", retry_after)


def test_another_trouble_names_a_time_only_if_klaviyo_does() -> None:
    assert error_of("x", 503, {"Retry-After": "30"}, b"").retry_after == 30  # type: ignore[attr-defined]
    assert error_of("x", 503, {}, b"").retry_after is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"errors": 3}', b'{"errors": []}', b'{"errors": ["x"]}', b'\xff{"errors"']
)
def test_an_answer_without_an_error_document_is_understood_by_its_status(body: bytes) -> None:
    """Proxies on the way answer in HTML."""
    error = error_of("create_event", 400, {}, body)
    assert isinstance(error, KlaviyoRefused)
    assert error.pointers == ()
    assert error.message == "Klaviyo refused it: 400"


def test_text_without_addresses_stays_as_it_is() -> None:
    assert blacked_out("At 12:00 the limit @ 5/s was met.") == "At 12:00 the limit @ 5/s was met."
