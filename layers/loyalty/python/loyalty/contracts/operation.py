"""One operation of the HTTP API, as its routes, its template event and its description are made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from loyalty.contracts.forms import Form

Access = Literal["everybody", "operator", "balance:write", "members:read", "reviews:write", "admin"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    ``items`` says that the body is an array of ``body``, ``bodiless`` that it may be left out; ``headers`` are optional
    ones that are read; ``also`` is another status of success, ``errors`` are statuses that an operation of its kind
    does not have anyway.
    """

    operation_id: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    summary: str
    access: Access
    answer: type[BaseModel] | None
    status: int = 200
    also: int | None = None
    body: type[BaseModel] | None = None
    items: bool = False
    bodiless: bool = False
    query: type[Form] | None = None
    headers: tuple[str, ...] = ()
    details: str = ""
    example: Any = None
    errors: tuple[int, ...] = ()

    @property
    def route(self) -> str:
        """The path in the words of the resolver."""
        return re.sub(r"\{(\w+)\}", r"<\1>", self.path)

    @property
    def path_parameters(self) -> list[str]:
        """Names in the path."""
        return re.findall(r"\{(\w+)\}", self.path)
