"""Bodies of connect and disconnect: whatever is sent, a wrong one is the sender's to mend."""

from __future__ import annotations

from typing import Any

import pytest

from loyalty.contracts.connection_requests import read_form, read_key, read_object
from loyalty.domain.errors import Invalid


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"confirm": true}'])
def test_an_object_or_nothing_is_read(body: bytes) -> None:
    assert read_object(body) == ({"confirm": True} if b"confirm" in body else {})


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"{", b"\xff\xfe{", b"[" * 9_000, b'{"a":' * 1_500, b'{"a": "' + b"x" * 10_000 + b'"}']
)
def test_anything_else_is_no_object(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_object(body)
    assert refused.value.code == "malformed_body"


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({}, ""),
        ({"mode": "oauth", "private_key": "pk_ab12"}, ""),
        ({"mode": "api_key", "private_key": " pk_ab12\n"}, "pk_ab12"),
    ],
)
def test_a_private_key_is_read_where_it_is_asked_for(said: dict[str, Any], key: str) -> None:
    """R11."""
    assert read_key(said) == key


@pytest.mark.parametrize("mode", ["", "key", None, 1, [], {}, ["api_key"]])
def test_a_mode_that_there_is_not_is_refused(mode: object) -> None:
    with pytest.raises(Invalid) as refused:
        read_key({"mode": mode})
    assert refused.value.code == "invalid_mode"


@pytest.mark.parametrize(
    "key", [None, 1, [], "", "pk_", "ab12", "pk_a b", "pk_a\r\nHost: x", "pk_ä12", "pk_\x00", "pk_" + "a" * 5_000]
)
def test_what_cannot_be_a_private_key_is_refused_without_asking_klaviyo(key: object) -> None:
    """It would break the request's header, or be more than can be encrypted."""
    with pytest.raises(Invalid) as refused:
        read_key({"mode": "api_key", "private_key": key})
    assert refused.value.code == "invalid_private_key"
    assert str(key) not in refused.value.message or not key


def test_a_form_is_read_whatever_it_holds() -> None:
    assert read_form(b"program=candles&key=tk_1&key=tk_2&x") == {"program": "candles", "key": "tk_2", "x": ""}
    assert read_form(b"program=\xff") == {"program": "\ufffd"}
