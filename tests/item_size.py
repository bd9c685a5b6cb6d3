"""How large an item is to DynamoDB, by its documented rules; a write unit pays for 1,024 bytes."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

WRITE_UNIT = 1024


def item_size(item: Mapping[str, Any]) -> int:
    """Bytes of an item given as plain attributes: names and values, with what lists and maps add."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def write_units(item: Mapping[str, Any]) -> int:
    """Units that one write of the item inside a transaction costs: two for each started kilobyte."""
    return 2 * ceil(item_size(item) / WRITE_UNIT)


def _size(value: Any) -> int:
    match value:
        case bool() | None:
            return 1
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case int():
            return _number(value)
        case Mapping():
            return 3 + sum(1 + len(name.encode()) + _size(part) for name, part in value.items())
        case _:
            return 3 + sum(1 + _size(part) for part in value)


def _number(value: int) -> int:
    """One byte for every two significant digits, counted in pairs from the decimal point, and one more."""
    digits = str(abs(value))
    padded = digits.rjust(len(digits) + len(digits) % 2, "0")
    pairs = [padded[at : at + 2] for at in range(0, len(padded), 2)]
    while pairs and pairs[-1] == "00":
        pairs.pop()
    return 1 + len(pairs) + (value < 0)
