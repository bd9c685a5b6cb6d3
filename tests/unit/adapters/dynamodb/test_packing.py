"""Packed words, hashes and times: smaller, the same for ever, and never misread."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.adapters.dynamodb.packing import (
    milliseconds,
    moment_of,
    packed_hash,
    packed_words,
    unpacked_hash,
    unpacked_words,
)
from loyalty.domain.ledger.entry import Private, canonical
from tests.fakes.clocks import START
from tests.unit.adapters.dynamodb.shapes import hashes, moments, privates

REVIEW = Private(
    salt="kJ8s0dkfLw2dQpZx71vB3A",
    reason='Review of "Lavender & Sea Salt Soy Candle, 220 g"',
    details={
        "has_media": True,
        "product": "Lavender & Sea Salt Soy Candle, 220 g",
        "product_url": "https://northwind-candles.example/products/lavender-sea-salt",
        "rating": 5,
        "review_id": "7d9f1c52-3b7e-4c57-9a51-6f2f8d1b0c3e",
        "review_kind": "review",
        "verified": True,
    },
)


@given(privates)
def test_words_come_back(private: Private) -> None:
    assert unpacked_words(packed_words(private)) == private


@given(privates)
def test_words_pack_the_same_way_every_time(private: Private) -> None:
    assert packed_words(private) == packed_words(private)


def test_what_was_packed_years_ago_is_read_today() -> None:
    """A changed dictionary would take the words of every stored entry away; this one was packed when it was new."""
    assert unpacked_words(OLD) == REVIEW


def test_a_review_is_packed_to_less_than_half() -> None:
    assert len(packed_words(REVIEW)) < len(canonical({"details": dict(REVIEW.details), "reason": REVIEW.reason})) / 2


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\x00", b"\x02abc", b"\x01", b"\x01\xff\xff\xff\xff"],
    ids=["nothing", "no dictionary", "unknown dictionary", "no words", "garbage"],
)
def test_what_was_not_packed_here_is_an_error(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"words|Expecting"):
        unpacked_words(damaged)


@given(st.integers(0, len(packed_words(REVIEW)) - 1), st.integers(1, 255))
def test_damaged_words_are_an_error_or_other_words(position: int, flipped: int) -> None:
    """Never a crash of another kind; other words do not match the digest, which verify checks."""
    packed = bytearray(packed_words(REVIEW))
    packed[position] ^= flipped
    try:
        words = unpacked_words(bytes(packed))
    except (ValueError, TypeError):
        return
    assert words == REVIEW or words.digest != REVIEW.digest


def test_words_that_are_cut_off_or_followed_by_others_are_an_error() -> None:
    packed = packed_words(REVIEW)
    for damaged in (packed[:-2], packed + b"more"):
        with pytest.raises(ValueError, match="words"):
            unpacked_words(damaged)


@given(hashes)
def test_a_hash_comes_back_from_32_bytes(text: str) -> None:
    assert len(packed_hash(text)) == 32
    assert unpacked_hash(packed_hash(text)) == text


def test_no_hash_is_no_bytes() -> None:
    assert packed_hash("") == b""


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        unpacked_hash(bytes(length))


@given(moments)
def test_a_time_comes_back_to_the_millisecond(moment: datetime) -> None:
    assert moment_of(milliseconds(moment)) == moment


def test_a_time_is_counted_from_1970() -> None:
    assert milliseconds(START) == 1_772_452_800_000


OLD = bytes.fromhex(
    "01c31510e8def6492c4bcd0305a39a42706aa2423050b742707ea58273625e4a4eaa8e82919181423aceb0c9cb07a6ac"
    "72a0eb7593c1ea8b310329076a816e716aa22ed87138c3c93cc532cd30d9d448d738c93c55d724d9d45cd732d1d450d7"
    "2ccd28cd22c530c920d938959840c3174644f9173920b3bd2c8a0d52b2d37cca8d52020ba22acc0dcb9c8c1d956a01"
)
