"""What an adjustment request may look like, and what is said about one that may not be (R121-R131)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loyalty.contracts.adjustments import (
    LONGEST_REASON,
    MOST_BYTES,
    MOST_ITEMS,
    read_adjustments,
    warnings_for,
)
from loyalty.contracts.idempotency import LONGEST_KEY, read_idempotency_key
from loyalty.domain.errors import Invalid, Rejected, TooLarge
from loyalty.domain.ledger.amounts import MAX_POINTS

GOOD: dict[str, Any] = {"email": "sarah.mason@klaviyo-demo.com", "amount": 100, "reason": "Bonus"}


def a_body(*items: Any) -> bytes:
    return json.dumps(items).encode()


def errors_of(*items: Any) -> list[tuple[str, str]]:
    with pytest.raises(Rejected) as rejected:
        read_adjustments(a_body(*items))
    assert rejected.value.code == "invalid_items"
    return [(error["where"], error["code"]) for error in rejected.value.facts["errors"]]


def test_jeris_example_is_taken_as_it_stands() -> None:
    (item,) = read_adjustments(
        b'[{"email": "Sarah.Mason@Klaviyo-Demo.com ", "amount": 100, "reason": "Bonus points from Klaviyo flow"}]'
    )
    assert (item.email, item.amount, item.reason) == (GOOD["email"], 100, "Bonus points from Klaviyo flow")
    assert item.idempotency_key is None


@pytest.mark.parametrize("amount", [0, -1, 1.0, 1.5, "100", True, None, MAX_POINTS + 1, 10**40, [1]])
def test_an_amount_is_a_positive_whole_number(amount: Any) -> None:
    """R127."""
    ((where, _),) = errors_of({**GOOD, "amount": amount})
    assert where == "0.amount"


@pytest.mark.parametrize(
    "email",
    [
        *("", "sarah", "sarah@", "@x.com", "a b@x.com", "sarah@x", "a@x.com\n,b@x.com", "x" * 95 + "@x.com", None, 5),
        # Letters that look like others, become others in lower case, or are not seen at all.
        *("\u017farah@x.com", "sarah@x.\u0441om", "sarah@\u212alaviyo.com", "sarah\u200b@x.com"),
    ],
)
def test_an_email_is_one_that_klaviyo_takes(email: Any) -> None:
    ((where, _),) = errors_of({**GOOD, "email": email})
    assert where == "0.email"


def test_an_unrendered_email_is_refused_with_a_hint() -> None:
    """R126."""
    with pytest.raises(Rejected) as rejected:
        read_adjustments(a_body({**GOOD, "email": "{{ person.emial }}"}))
    (error,) = rejected.value.facts["errors"]
    assert "{{ person.email }}" in error["message"]


@pytest.mark.parametrize("reason", ["", "  \n", None, 7, "x" * (LONGEST_REASON + 1), "\ud800"])
def test_a_reason_says_something_storable(reason: Any) -> None:
    ((where, _),) = errors_of({**GOOD, "reason": reason})
    assert where == "0.reason"


@pytest.mark.parametrize(
    "reason", ["🕯" * LONGEST_REASON, 'Bonus for "Candle <b>&amp;</b>"', " spaces stay \t", "Ωmega\u0000 \u202e"]
)
def test_a_reason_is_kept_word_for_word(reason: str) -> None:
    """R128, R129."""
    assert read_adjustments(a_body({**GOOD, "reason": reason}))[0].reason == reason


@pytest.mark.parametrize("key", ["", " ", 5, "x" * (LONGEST_KEY + 1), "step-{{ person.id }}"])
def test_a_key_names_something(key: Any) -> None:
    """Template text as a key would be the same for everybody."""
    ((where, _),) = errors_of({**GOOD, "idempotency_key": key})
    assert where == "0.idempotency_key"


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """R125, R126."""
    assert errors_of({"amount": 0}, GOOD, "text", {**GOOD, "key": "typo"}) == [
        ("0.email", "missing"),
        ("0.amount", "greater_than"),
        ("0.reason", "missing"),
        ("2", "model_type"),
        ("3.key", "extra_forbidden"),
    ]


def test_one_key_for_two_different_items_is_a_mistake_and_for_the_same_twice_is_not() -> None:
    keyed = {**GOOD, "idempotency_key": "k"}
    assert errors_of(keyed, {**keyed, "amount": 5}) == [("1.idempotency_key", "key_used_twice")]
    assert len(read_adjustments(a_body(keyed, keyed))) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{}", "not_an_array"), (b'"x"', "not_an_array"), (b"null", "not_an_array"), (b"[]", "no_items")]
    + [(a_body(*[GOOD] * count), "too_many_items") for count in (MOST_ITEMS + 1, 1500)],
)
def test_the_body_is_an_array_of_a_sensible_length(body: bytes, code: str) -> None:
    with pytest.raises(Rejected) as rejected:
        read_adjustments(body)
    assert rejected.value.code == code


def with_amount(text: str) -> bytes:
    return f'[{{"email": "a@x.com", "reason": "r", "amount": {text}}}]'.encode()


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"[", b"\xff\xfe[\x00]\x00", b"\xef\xbb\xbf[]", b'["\xe9"]', b"[" * 100_000, b'{"a":' * 50_000]
    + [with_amount(text) for text in ("NaN", "Infinity", "-Infinity", "1e400", "1" * 5000, "01", "0x10", "1,")]
    + [b'[{"amount": 1, "amount": 2}]', b'[{"a": {"b": 1, "b": 1}}]'],
)
def test_what_is_no_unambiguous_json_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_adjustments(body)
    assert refused.value.code == "malformed_json"


def test_a_body_has_a_limit() -> None:
    with pytest.raises(TooLarge):
        read_adjustments(b" " * (MOST_BYTES + 1))


def test_no_error_repeats_what_was_sent() -> None:
    """A problem is logged and goes through other people's systems."""
    private = "private@nowhere"
    with pytest.raises(Rejected) as rejected:
        read_adjustments(a_body({"email": private, "amount": private, "reason": 1, private: 1}, [private]))
    assert private not in json.dumps(rejected.value.facts) + rejected.value.message


def test_template_text_in_a_reason_is_warned_of() -> None:
    assert [warning.code for warning in warnings_for("For {{ event.product }}")] == ["unrendered_template"]
    assert warnings_for("For {candles}") == ()


def test_a_header_key_is_printable_and_short() -> None:
    assert read_idempotency_key(" abc ") == "abc"
    assert read_idempotency_key(None) == ""
    for wrong in ("x" * (LONGEST_KEY + 1), "a\x00b"):
        with pytest.raises(Invalid):
            read_idempotency_key(wrong)
