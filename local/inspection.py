"""The fake Klaviyo's inspection API, as a client: what it was told, and what it shall do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import requests

from local.processes import StackError

# Deliveries that the fake makes to order are answered before it answers.
_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Inspection:
    """Asks the fake at ``url``; paths are those of its README, without ``/_fake``."""

    url: str

    def get(self, path: str, **query: str) -> Any:
        """What the fake says."""
        return self._answer(requests.get(f"{self.url}/_fake{path}", params=query, timeout=_SECONDS))

    def post(self, path: str, **body: Any) -> Any:
        """Have the fake do something."""
        return self._answer(requests.post(f"{self.url}/_fake{path}", json=body, timeout=_SECONDS))

    def patch(self, path: str, **body: Any) -> Any:
        """Have the fake change something."""
        return self._answer(requests.patch(f"{self.url}/_fake{path}", json=body, timeout=_SECONDS))

    def delete(self, path: str) -> Any:
        """Have the fake forget something."""
        return self._answer(requests.delete(f"{self.url}/_fake{path}", timeout=_SECONDS))

    def events(self, **query: str) -> list[dict[str, Any]]:
        """Events as recorded; ``email``, ``metric`` or ``unique_id`` narrow it down."""
        found: list[dict[str, Any]] = self.get("/events", **query)["events"]
        return found

    def profile(self, email: str) -> dict[str, Any] | None:
        """The profile that has this address."""
        found: list[dict[str, Any]] = self.get("/profiles", email=email)["profiles"]
        return found[0] if found else None

    def our_events(self, email: str) -> list[dict[str, Any]]:
        """Events about somebody that came in over the API, so not Klaviyo's own, such as a submitted review."""
        return [event for event in self.events(email=email) if event["operation"] != "review"]

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        if not response.ok:
            raise StackError(f"The fake Klaviyo answered {response.status_code}: {response.text}")
        return response.json()
