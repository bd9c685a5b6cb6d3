"""A DynamoDB client that adds up what its calls cost, all indexes included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_READS = frozenset({"get_item", "batch_get_item", "query"})
_WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})


@dataclass
class Units:
    """Capacity units, as DynamoDB counts them."""

    writes: float = 0
    reads: float = 0

    def __sub__(self, earlier: Units) -> Units:
        """What came since."""
        return Units(self.writes - earlier.writes, self.reads - earlier.reads)


class MeteredClient:
    """Passes every call on to a client, asks what it consumed and adds that to ``used``."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.used = Units()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in _READS | _WRITES:
            return call

        def metered(**request: Any) -> Any:
            answer = call(**request, ReturnConsumedCapacity="INDEXES")
            consumed = answer["ConsumedCapacity"]
            units = sum(part["CapacityUnits"] for part in (consumed if isinstance(consumed, list) else [consumed]))
            if name in _READS:
                self.used = Units(self.used.writes, self.used.reads + units)
            else:
                self.used = Units(self.used.writes + units, self.used.reads)
            return answer

        return metered
