"""What others need to know of a running stack, and the file that tells them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Description:
    """Addresses, names and keys of a running stack with its demo program. All of it is worthless elsewhere."""

    api_url: str
    klaviyo_url: str
    aws_endpoint_url: str
    region: str
    stack_name: str
    table: str
    reviews_queue_url: str
    events_queue_url: str
    profiles_queue_url: str
    credentials_key_id: str
    operator_key: str
    program: str
    api_key: str
    webhook_id: str
    webhook_secret: str

    def write(self, path: Path) -> None:
        """Put the file in place whole, readable by its owner only."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)
