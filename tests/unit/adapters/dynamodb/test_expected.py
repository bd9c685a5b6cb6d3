"""What ``verify`` expects of an item, where the journal leaves more than one right form."""

from __future__ import annotations

import zlib
from dataclasses import asdict

from loyalty.adapters.dynamodb import expected
from loyalty.adapters.dynamodb.codec import entry_item, entry_of
from loyalty.domain.ledger.commands import Earn
from loyalty.domain.ledger.entry import canonical
from tests.contract.storage import MemoryStorage, Pen


def test_words_that_another_zlib_packed_are_as_right_as_ours() -> None:
    """The same words, deflated without any compression, are other bytes and say the same."""
    pen = Pen(MemoryStorage())
    pen.write("sarah", Earn(10), reason="For a lovely review, a lovely review indeed")
    item = entry_item(pen.entry("sarah", 1))
    private = pen.entry("sarah", 1).private
    assert private is not None
    deflate = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
    elsewhere = b"\x01" + deflate.compress(canonical(asdict(private))) + deflate.flush()
    assert elsewhere != item["private"]
    stored = item | {"private": elsewhere}
    assert expected.entry(entry_of(stored), {}, stored) == stored


def test_an_erased_entry_is_expected_without_words() -> None:
    pen = Pen(MemoryStorage())
    pen.write("sarah", Earn(10), reason="For a review")
    stored = {name: value for name, value in entry_item(pen.entry("sarah", 1)).items() if name != "private"}
    assert expected.entry(entry_of(stored), {}, stored) == stored
