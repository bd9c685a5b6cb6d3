"""The OpenAPI 3.1 document of the HTTP API, made of the table of operations and the models of their bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from loyalty.contracts.adjustments import MOST_ITEMS
from loyalty.contracts.examples import ANSWERS, PROBLEMS, SETTINGS
from loyalty.contracts.forms import FieldError, Told
from loyalty.contracts.idempotency import LONGEST_KEY
from loyalty.contracts.operation import Operation
from loyalty.contracts.operations import OPERATIONS
from loyalty.contracts.settings import SettingsForm

_REF = "#/components/schemas/{model}"

_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "slug": {
        "description": "The program's slug.",
        "schema": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
        "example": "demo",
    },
    "email": {
        "description": "The member's e-mail address, URL-encoded. It is in no log.",
        "schema": {"type": "string", "format": "email", "maxLength": 99},
        "example": "sarah.mason@klaviyo-demo.com",
    },
    "review_id": {
        "description": "The id of a review or of its event.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        "example": "925e385b52fb405715f3616c337cc65c",
    },
    "key_id": {
        "description": "The id of an API key.",
        "schema": {"type": "string", "pattern": "^[a-z2-7]{16}$"},
        "example": "abcdefghijklmnop",
    },
    "Idempotency-Key": {
        "description": "Names the request: sent again with it, it is answered again and does not happen again.",
        "schema": {"type": "string", "maxLength": LONGEST_KEY},
    },
    "X-Klaviyo-Flow-ID": {
        "description": "Set by Klaviyo's flows: the source of what is done, and a sign to answer a limit with 503.",
        "schema": {"type": "string"},
    },
    "If-Match": {
        "description": "The version of the settings that was read, such as its ETag.",
        "schema": {"type": "string", "pattern": '^(W/)?"?[0-9]{1,9}"?$'},
        "example": '"1"',
    },
}

_REQUIRED = frozenset({"If-Match"})

_ERRORS: Mapping[int, str] = {
    400: "The request is malformed: code malformed_json, invalid_email, invalid_version ...",
    401: "No API key, or none that is valid: code missing_api_key, invalid_api_key.",
    403: "The key may not do this: code key_of_another_program, missing_scope, operator_only.",
    404: "There is no such program, member or key: code unknown_program, unknown_member, unknown_key.",
    409: "What is stored stands against it: code not_connected, oauth_required, another_account_connected ...",
    412: "The settings were changed since they were read: code version_outdated.",
    413: "The body is too large: code body_too_large.",
    422: "The request is understood and cannot be done; errors lists every place that is wrong.",
    428: "If-Match is missing: code version_missing.",
    429: "The key has made all requests it may in this minute; a Klaviyo flow gets 503 instead. See Retry-After.",
    503: "Trouble that passes. Send the same request again after Retry-After seconds.",
}


class Problem(Told):
    """What went wrong (RFC 9457); ``code`` is stable."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: Annotated[tuple[FieldError, ...] | None, Field(description="Everything that is wrong with the body.")] = (
        None
    )


def openapi(server: str) -> dict[str, Any]:
    """The document for an API whose root is ``server``."""
    bodies = {operation.body for operation in OPERATIONS if operation.body}
    answers = {operation.answer for operation in OPERATIONS if operation.answer} | {Problem}
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in bodies]
    wanted += [(model, "serialization") for model in answers - bodies]
    refs, definitions = models_json_schema(sorted(wanted, key=lambda pair: pair[0].__name__), ref_template=_REF)
    schemas = definitions.get("$defs", {})
    named: dict[Any, Mapping[str, Any]] = {model: schema for (model, _), schema in refs.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallyhook",
            "version": "1",
            "description": "A loyalty ledger for stores that market with Klaviyo.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "api-key",
                    "description": "A program's key (tk_...), or the operator's key.",
                }
            },
        },
    }


def openapi_json(server: str) -> str:
    """The document as JSON text, the same for the same code."""
    return json.dumps(openapi(server), indent=2, ensure_ascii=False) + "\n"


def _described(operation: Operation, named: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation, named),
    }
    access = {"everybody": "", "operator": "The operator's key."}.get(operation.access, f"Scope {operation.access}.")
    if text := " ".join(filter(None, (operation.details, access))):
        described["description"] = text
    if operation.access == "everybody":
        described["security"] = []
    if operation.body:
        schema: dict[str, Any] = dict(named[operation.body])
        if operation.items:
            schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": MOST_ITEMS}
        content: dict[str, Any] = {"schema": schema}
        content["example"] = SETTINGS if operation.body is SettingsForm else operation.example
        described["requestBody"] = {"required": not operation.bodiless, "content": {"application/json": content}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters = [
        {"name": name, "in": "path", "required": True, **_PARAMETERS[name]} for name in operation.path_parameters
    ]
    parameters += [
        {"name": name, "in": "header", "required": name in _REQUIRED, **_PARAMETERS[name]} for name in operation.headers
    ]
    if operation.query:
        schema = operation.query.model_json_schema()
        for name, facts in schema["properties"].items():
            description = facts.pop("description", "")
            parameters.append(
                {"name": name, "in": "query", "required": False, "description": description, "schema": facts}
            )
    return parameters


def _responses(operation: Operation, named: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    schema: Mapping[str, Any] = named[operation.answer] if operation.answer else {"type": "object"}
    responses: dict[str, Any] = {}
    if operation.also:
        responses[str(operation.also)] = _success(operation.also, {"schema": schema})
    example = {"example": ANSWERS[operation.operation_id]} if operation.answer else {}
    responses[str(operation.status)] = _success(operation.status, {"schema": schema, **example})
    for status in _errors(operation):
        responses[str(status)] = {
            "description": _ERRORS[status],
            "content": {"application/problem+json": {"schema": named[Problem], "example": PROBLEMS[status]}},
            **({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status in (429, 503) else {}),
        }
    return responses


def _success(status: int, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": content}}


def _errors(operation: Operation) -> list[int]:
    if operation.access == "everybody":
        return [503]
    errors = {401, 403, 503, *operation.errors}
    if operation.path_parameters:
        errors |= {404, 429}
    if operation.body:
        errors |= {400, 413, 422}
    if operation.query or "email" in operation.path_parameters:
        errors |= {400}
    if operation.query is not None or operation.operation_id == "rotate_key":
        errors |= {422}
    if "If-Match" in operation.headers:
        errors |= {400, 412, 428}
    if operation.operation_id == "create_program":
        errors |= {400}
    return sorted(errors)
