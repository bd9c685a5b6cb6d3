"""What the routes of ``program_api`` share: a request as they see it, forms, versions and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from loyalty.contracts.forms import filled_in
from loyalty.contracts.strict_json import read_json
from loyalty.domain.errors import Invalid, VersionMissing
from loyalty.domain.program import Program
from loyalty.runtime import http
from loyalty.services.admit_caller import Caller

MOST_BYTES = 64 * 1024

_FormT = TypeVar("_FormT", bound=BaseModel)

_VERSION = re.compile(r'(?:W/)?"?(\d{1,9})"?')


@dataclass(frozen=True, slots=True)
class Done:
    """What a change of this API tells about itself."""

    message: str
    ids: Mapping[str, str | int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request: its headers by lower-cased name, its query, its body, and the root of the API it came in by."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    base_url: str

    @property
    def caller(self) -> Caller:
        """Who is calling."""
        return Caller.of(self.headers)

    @property
    def version(self) -> int:
        """The version of the settings that a change is based on.

        Raises:
            VersionMissing: the caller named none.
            Invalid: what it named is none.
        """
        if_match = self.headers.get("if-match")
        if not if_match:
            raise VersionMissing("Name the version you read in the header If-Match.")
        match = _VERSION.fullmatch(if_match.strip())
        if match is None:
            raise Invalid("If-Match is not a version of settings.", code="invalid_version")
        return int(match[1])

    def form(self, form: type[_FormT]) -> _FormT:
        """The body, checked against a form.

        Raises:
            Rejected: ``invalid_body``, with every error at once.
            TooLarge: it is larger than any such form.
        """
        checked: _FormT = filled_in(form, read_json(self.body, MOST_BYTES), "body")
        return checked

    def number(self, name: str, otherwise: int) -> int:
        """A whole number of the query.

        Raises:
            Invalid: ``invalid_<name>``, it is none.
        """
        text = self.query.get(name) or str(otherwise)
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Invalid("A whole number was expected.", code=f"invalid_{name}")
        return int(text)

    def connect_url(self, slug: str) -> str:
        """Where a merchant starts to connect the program to Klaviyo (R101)."""
        return f"{self.base_url}/programs/{slug}/klaviyo/connect"


def told(document: BaseModel, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Response[str]:
    """A document as an answer."""
    return http.answered(document.model_dump_json(), status, **headers)


def etag(program: Program) -> str:
    """The version of a program's settings, as a header."""
    return f'"{program.version}"'
