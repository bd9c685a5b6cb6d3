"""The webhook signature, against a vector of our own and Klaviyo's construction (R120)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from loyalty.contracts.klaviyo_signature import SignedDelivery, signature_of
from tests.deliveries import SECRET, TIMESTAMP, a_body, a_review_event, signed

DOCS = os.environ.get("TALLYHOOK_KLAVIYO_DOCS")


def test_own_vector() -> None:
    """Computed with openssl: printf '%s%s' "$body" "$timestamp" | openssl dgst -sha256 -hmac "$secret"."""
    body = '{"data":[],"meta":{"klaviyo_webhook_id":"wh-1"}} ü'.encode()
    expected = "b802302f1cbc3e0a3b6004cda32106bbfb6f5da0eb9a9afcc69ec6de488af31c"
    assert signature_of("a-secret-of-16-or-more", body, "Thu, 20 Aug 2026 14:04:02 GMT") == expected


@pytest.mark.skipif(not DOCS, reason="TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's examples")
def test_vector_of_the_documents() -> None:
    vector = json.loads((Path(str(DOCS)) / "examples/system_webhook_signature_vector.json").read_text())
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    delivery = SignedDelivery.of("candles", headers, vector["body"].encode())
    assert delivery.is_signed_with([vector["secret_key"]])
    assert not delivery.is_signed_with([vector["secret_key"] + "x"])


def test_any_of_several_live_secrets_will_do() -> None:
    body = a_body(a_review_event())
    delivery = SignedDelivery.of("candles", signed(body), body)
    assert delivery.is_signed_with(["another-secret-0123456789", SECRET])
    assert delivery.is_signed_with([SECRET, "another-secret-0123456789"])
    assert not delivery.is_signed_with(["another-secret-0123456789"])
    assert not delivery.is_signed_with([])


def test_every_secret_is_tried_even_after_one_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes tells nothing about which secret it was."""
    tried: list[str] = []

    def noting(secret: str, body: bytes, timestamp: str) -> str:
        tried.append(secret)
        return signature_of(secret, body, timestamp)

    monkeypatch.setattr("loyalty.contracts.klaviyo_signature.signature_of", noting)
    body = a_body()
    delivery = SignedDelivery.of("candles", signed(body), body)
    assert delivery.is_signed_with([SECRET, "second", "third"])
    assert tried == [SECRET, "second", "third"]


@pytest.mark.parametrize("changed", ["body", "timestamp", "signature"])
def test_a_change_of_anything_signed_breaks_it(changed: str) -> None:
    body = a_body(a_review_event())
    headers = signed(body)
    if changed == "body":
        body += b" "
    elif changed == "timestamp":
        headers["klaviyo-timestamp"] = TIMESTAMP.replace("14:04", "14:05")
    else:
        headers["klaviyo-signature"] = headers["klaviyo-signature"][:-1] + "x"
    assert not SignedDelivery.of("candles", headers, body).is_signed_with([SECRET])


def test_missing_headers_and_text_that_is_no_ascii_are_plain_failures() -> None:
    assert not SignedDelivery.of("candles", {}, b"").is_signed_with([SECRET])
    strange = {"klaviyo-signature": "ü" * 64, "klaviyo-timestamp": "\ud800", "klaviyo-webhook-id": "ü"}
    delivery = SignedDelivery.of("candles", strange, b"\xff")
    assert not delivery.is_signed_with([SECRET])
    assert not delivery.is_from("wh-1")


def test_what_is_private_does_not_show_in_its_text_form() -> None:
    body = a_body(a_review_event())
    headers = signed(body)
    shown = repr(SignedDelivery.of("candles", headers, body))
    assert headers["klaviyo-signature"] not in shown
    assert "klaviyo-demo.com" not in shown
