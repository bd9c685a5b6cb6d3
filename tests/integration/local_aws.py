"""AWS on loopback, and deployments there as the operator's commands find them: by a file that describes them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3

from tests.table import create_table

REGION = "eu-central-1"


@dataclass(frozen=True)
class LocalAws:
    """An account that lives as long as the process; what is made in it has a name of its own."""

    endpoint: str

    def client(self, service: str) -> Any:
        """A client of a service."""
        make: Any = boto3.client
        access = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return make(service, endpoint_url=self.endpoint, region_name=REGION, **access)

    def new_table(self) -> str:
        """An empty ledger's name."""
        name = f"ledger-{uuid4().hex}"
        create_table(self.client("dynamodb"), name)
        return name

    def describe(self, folder: Path, table: str, **facts: str) -> Path:
        """The file for ``--local``, as ``make local`` writes it."""
        file = folder / "stack.json"
        described = {"aws_endpoint_url": self.endpoint, "region": REGION, "table": table, "api_url": "http://unused/v1"}
        file.write_text(json.dumps(described | facts))
        return file
