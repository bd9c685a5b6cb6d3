"""The search for secrets finds them, wherever and however they are written, and nothing else."""

from __future__ import annotations

import pytest

from loyalty.adapters.dynamodb.packing import packed_words
from loyalty.domain.ledger.entry import Private
from tests.secrecy import Secrecy

KEY = "tk_abcdefghijklmnop_" + "a2b3c4d5e6f7" * 4


@pytest.fixture
def secrecy() -> Secrecy:
    known = Secrecy()
    known.keep("the secret", "swordfish-1")
    known.keep_words("a review's text", "Smells like the sea")
    return known


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"message": "using swordfish-1"}', ["the secret"]),
        ("review: Smells like the sea.", ["a review's text"]),
        (f"key {KEY}", ["a token or key"]),
        ("Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", ["a token or key"]),
        ("to sarah.mason@klaviyo-demo.com", ["an address"]),
        ("/members/sarah%40klaviyo-demo.com", ["an address"]),
        ("key tk_abcdefghijklmnop, member ztqoc6tms7tjti5uhmbsqtddba, a@b", []),
    ],
)
def test_what_a_text_gives_away_is_named(secrecy: Secrecy, text: str, found: list[str]) -> None:
    assert secrecy.in_text(text) == found


def test_items_are_read_through_and_through(secrecy: Secrecy) -> None:
    """In maps, lists, bytes and packed words; addresses belong into members."""
    packed = packed_words(Private(salt="s", reason="Smells like the sea", details={}))
    assert secrecy.in_item({"type": "connection", "webhooks": [{"secret": b"\x00swordfish-1"}]}) == ["the secret"]
    assert secrecy.in_item({"type": "entry", "private": packed}) == ["a review's text"]
    assert secrecy.in_item({"type": "member", "email": "sarah@klaviyo-demo.com"}) == []
    assert secrecy.in_item({"type": "decision", "email": "sarah@klaviyo-demo.com"}) == ["an address"]
    assert secrecy.in_item({"type": "entry", "private": b"\x01\xff", "seq": 1}) == []
