"""The envelope of a delivery: what opens, and the clear refusal of what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loyalty.contracts.klaviyo_webhook import parse_delivery
from loyalty.domain.errors import Invalid
from tests.deliveries import WEBHOOK_ID, a_body, a_review_event


def test_an_envelope_opens_without_a_look_at_its_events() -> None:
    delivery = parse_delivery(a_body(a_review_event(), "no event at all", None))
    assert len(delivery.data) == 3
    assert delivery.meta.klaviyo_webhook_id == WEBHOOK_ID


def test_a_number_that_json_does_not_know_spoils_nothing() -> None:
    """Python's serialiser, Klaviyo's too, writes NaN."""
    delivery = parse_delivery(b'{"data": [{"x": NaN}, {"y": -Infinity}], "meta": {"klaviyo_webhook_id": "wh"}}')
    assert delivery.data == [{"x": None}, {"y": None}]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"no json", b"\xff\xfe\x00", b'{"a": 1}}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
    ids=["empty", "cut", "words", "bytes", "too much", "deep", "endless number"],
)
def test_what_is_not_json_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(Invalid) as raised:
        parse_delivery(body)
    assert raised.value.code == "malformed_json"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "the top"),
        (None, "the top"),
        ("text", "the top"),
        ({}, "data, meta"),
        ({"data": {}, "meta": {"klaviyo_webhook_id": "wh"}}, "data"),
        ({"data": [], "meta": []}, "meta"),
        ({"data": [], "meta": {}}, "meta.klaviyo_webhook_id"),
        ({"data": [], "meta": {"klaviyo_webhook_id": 7}}, "meta.klaviyo_webhook_id"),
        ({"data": [], "meta": {"klaviyo_webhook_id": ""}}, "meta.klaviyo_webhook_id"),
    ],
)
def test_json_of_another_shape_is_refused_with_the_place(document: Any, place: str) -> None:
    with pytest.raises(Invalid, match=place) as raised:
        parse_delivery(json.dumps(document).encode())
    assert raised.value.code == "malformed_delivery"
