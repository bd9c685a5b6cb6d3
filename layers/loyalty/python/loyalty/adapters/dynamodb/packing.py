"""Packed forms of what would make a journal entry larger than 1 KB, where DynamoDB starts to charge double.

Hashes are stored as the bytes they are. An entry's erasable words are deflated with a dictionary of what such words
are made of, so a review with its product, link and reason takes some 140 bytes instead of 360.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from loyalty.domain.ledger.entry import Private, canonical
from loyalty.domain.moments import whole_milliseconds

_DICTIONARIES = {
    1: (
        b'"birthday":"","external_id":"","first_name":"","last_name":"","phone":"+1"}{"profile":{"email":"@gmail.com"}'
        b'"activates_on":"20","campaign_name":"","discount_code":"","multiplier":1.5,"order_number":"#1"'
        b'"reward_name":"Order "},"reason":"{"details":{"has_media":false,"has_media":true,"product":"'
        b'","product_url":"https://www.shop.example/products/.com/products/","rating":5,"review_id":"'
        b'","review_kind":"rating","review_kind":"review","verified":false,"verified":true}'
        b',"reason":"Review of \\"\\"","salt":"'
    ),
}
"""Stored entries were made with these: one may be added under a new number, none may ever change or go."""

_CURRENT = max(_DICTIONARIES)
_RAW = -zlib.MAX_WBITS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def packed_words(private: Private) -> bytes:
    """An entry's erasable words as the number of a dictionary and deflated canonical JSON."""
    words = {name: value for name, value in asdict(private).items() if value}
    deflate = zlib.compressobj(9, zlib.DEFLATED, _RAW, 9, zlib.Z_DEFAULT_STRATEGY, _DICTIONARIES[_CURRENT])
    return bytes([_CURRENT]) + deflate.compress(canonical(words)) + deflate.flush()


def unpacked_words(packed: bytes) -> Private:
    """The words again.

    Raises:
        ValueError: these bytes were not made by ``packed_words``.
    """
    dictionary = _DICTIONARIES.get(packed[0]) if packed else None
    if dictionary is None:
        raise ValueError("words packed with an unknown dictionary")
    inflate = zlib.decompressobj(_RAW, dictionary)
    try:
        text = inflate.decompress(packed[1:]) + inflate.flush()
    except zlib.error as error:
        raise ValueError("words that cannot be unpacked") from error
    if not inflate.eof or inflate.unused_data:
        raise ValueError("words that end too early or too late")
    return Private(**json.loads(text))


def packed_hash(text: str) -> bytes:
    """The bytes of a SHA-256 hash in its text form of 43 characters; none for no hash."""
    return base64.urlsafe_b64decode(text + "=") if text else b""


def unpacked_hash(packed: bytes) -> str:
    """A hash's text form.

    Raises:
        ValueError: these are not the 32 bytes of a hash.
    """
    if len(packed) != 32:
        raise ValueError("a hash of another length than 32 bytes")
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def milliseconds(moment: datetime) -> int:
    """A time as milliseconds since 1970."""
    return (whole_milliseconds(moment) - _EPOCH) // timedelta(milliseconds=1)


def moment_of(number: int) -> datetime:
    """The time again, aware UTC."""
    return _EPOCH + timedelta(milliseconds=number)
