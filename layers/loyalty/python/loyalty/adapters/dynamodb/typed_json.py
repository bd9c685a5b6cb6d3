"""DynamoDB's typed JSON, which is also the form of stream images, and plain Python values: one made of the other.

Numbers are integers throughout; what may hold other numbers is kept as JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

Item = dict[str, Any]

_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()


def wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain attributes as DynamoDB's typed JSON."""
    return {name: _SERIALIZER.serialize(value) for name, value in item.items()}


def plain(image: Mapping[str, Any]) -> Item:
    """Typed JSON as plain attributes; whole numbers become ``int``."""
    return {name: _native(_DESERIALIZER.deserialize(value)) for name, value in image.items()}


def _native(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: _native(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_native(part) for part in value]
    return bytes(value.value) if hasattr(value, "value") else value
