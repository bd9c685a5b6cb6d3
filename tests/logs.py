"""Everything a function writes while a test looks: its log lines and metrics, and what libraries would add at DEBUG."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from loyalty.runtime.observability import logger


@dataclass
class Written:
    """What was written, as text and as the JSON documents in it."""

    text: str = ""
    documents: list[dict[str, Any]] = field(default_factory=list)

    def lines(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        return [document for document in self.documents if document.get("message") == message]

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric written, summed; EMF writes a value or a list of them."""
        total: dict[str, float] = {}
        for document in self.documents:
            for definition in document.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in definition["Metrics"]:
                    value = document[metric["Name"]]
                    values = value if isinstance(value, list) else [value]
                    total[metric["Name"]] = total.get(metric["Name"], 0) + sum(values)
        return total


@contextmanager
def written() -> Iterator[Written]:
    """Collect all that is written to standard output or logged at any level."""
    found = Written()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    own = logger.registered_handler
    assert isinstance(own, logging.StreamHandler)
    before = own.setStream(stream)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(stream):
            yield found
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        own.setStream(before or io.StringIO())
        found.text = stream.getvalue()
        for line in found.text.splitlines():
            if line.startswith("{"):
                found.documents.append(json.loads(line))
