"""Port to flows in Klaviyo; like ``ports`` and beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class FlowDrafts(Protocol):
    """Flows of an account, as far as drafts are made; raises what every call of ``KlaviyoApi`` does."""

    def metric_id(self, name: str) -> str:
        """The id of the account's metric with this name; "" where it has none yet."""

    def flow_id(self, name: str) -> str:
        """The id of a flow with this name; "" where there is none."""

    def create_flow(self, flow: Mapping[str, Any]) -> str:
        """Create a flow as a draft; its id. Klaviyo makes a second one when asked twice.

        Raises:
            KlaviyoRefused: Klaviyo will not take it, for example because its list or segment does not exist.
        """
