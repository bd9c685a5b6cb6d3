"""Checking bodies against Klaviyo's official OpenAPI document.

Two known defects of that document are corrected (see `_corrected`): whole numbers match both branches of
`oneOf [integer, number]`, and `nullable` beside a `$ref` has no effect in OpenAPI 3.0 although the API returns null.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from local.fake_klaviyo.errors import Problem
from local.fake_klaviyo.exchange import JSON_API, JsonObject

_METHODS = ("get", "post", "patch", "put", "delete")


class Contract:
    """The operations of one OpenAPI document, ready to validate with."""

    def __init__(self, document: JsonObject) -> None:
        self._components = _corrected(document["components"])
        self._operations: dict[str, JsonObject] = {
            operation["operationId"]: operation
            for path in document["paths"].values()
            for method, operation in path.items()
            if method in _METHODS
        }
        self._validators: dict[tuple[str, str], Draft202012Validator | None] = {}

    @classmethod
    def read(cls, path: Path) -> "Contract":
        """The contract in a JSON file."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    @property
    def operations(self) -> dict[str, JsonObject]:
        """The document's operations by operationId."""
        return self._operations

    def request_problems(self, operation: str, body: Any) -> list[Problem]:
        """What is wrong with a request body; nothing for an operation the document does not have."""
        validator = self._validator(operation, "request")
        return [_problem(error) for error in _errors(validator, body)]

    def response_problems(self, operation: str, status: int, body: Any) -> list[Problem]:
        """What is wrong with a response body; null `next` and `prev` links count as absent."""
        validator = self._validator(operation, str(status))
        return [_problem(error) for error in _errors(validator, _without_null_links(body))]

    def _validator(self, operation: str, part: str) -> Draft202012Validator | None:
        key = (operation, part)
        if key not in self._validators:
            schema = self._schema(operation, part)
            self._validators[key] = None if schema is None else self._build(schema)
        return self._validators[key]

    def _build(self, schema: JsonObject) -> Draft202012Validator:
        whole = {**_corrected(schema), "components": self._components}
        return Draft202012Validator(whole, format_checker=FormatChecker())

    def _schema(self, operation: str, part: str) -> JsonObject | None:
        described = self._operations.get(operation)
        if described is None:
            return None
        if part == "request":
            content = described.get("requestBody", {}).get("content", {})
        else:
            responses = described["responses"]
            found = responses.get(part) or responses.get(f"{part[0]}XX", {})
            if "$ref" in found:
                found = self._components["responses"][found["$ref"].rpartition("/")[2]]
            content = found.get("content", {})
        schema: JsonObject | None = content.get(JSON_API, {}).get("schema")
        return schema


def _errors(validator: Draft202012Validator | None, body: Any) -> Iterator[ValidationError]:
    return iter(()) if validator is None else validator.iter_errors(body)


def _problem(error: ValidationError) -> Problem:
    pointer = "".join(f"/{part}" for part in error.absolute_path)
    return Problem(f"Against the API contract: {error.message[:300]}", pointer or "/")


def _corrected(schema: Any) -> Any:
    """OpenAPI 3.0 schema as JSON Schema 2020-12, with the document's defects put right."""
    if isinstance(schema, list):
        return [_corrected(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    fixed = {key: _corrected(value) for key, value in schema.items()}
    branches = fixed.get("oneOf")
    if isinstance(branches, list) and {"type": "integer"} in branches and {"type": "number"} in branches:
        fixed["anyOf"] = fixed.pop("oneOf")
    nullable = fixed.get("nullable")
    if isinstance(nullable, bool):
        del fixed["nullable"]
        return {"anyOf": [fixed, {"type": "null"}]} if nullable else fixed
    return fixed


def _without_null_links(body: Any) -> Any:
    if not isinstance(body, dict) or not isinstance(body.get("links"), dict):
        return body
    links = {k: v for k, v in body["links"].items() if v is not None or k not in ("next", "prev")}
    return {**body, "links": links}
