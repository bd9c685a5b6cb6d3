"""The API's table of operations is the only source: its description, its routes and the template's events agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from pydantic import RootModel

from functions.balance_adjust import app as balance_adjust
from functions.klaviyo_connection import app as klaviyo_connection
from functions.program_api import app as program_api
from functions.review_flow import app as review_flow
from loyalty.contracts.balance_operations import BALANCE_OPERATIONS
from loyalty.contracts.connection_operations import CONNECTION_OPERATIONS
from loyalty.contracts.examples import ANSWERS
from loyalty.contracts.openapi import openapi, openapi_json
from loyalty.contracts.operation import Operation
from loyalty.contracts.operations import OPERATIONS
from loyalty.contracts.program_operations import PROGRAM_OPERATIONS
from loyalty.contracts.review_operations import REVIEW_OPERATIONS
from loyalty.contracts.rule_operations import RULE_OPERATIONS
from tests.architecture.template import ROOT, functions

BY_FUNCTION = {
    "balance_adjust": (BALANCE_OPERATIONS, balance_adjust.api),
    "review_flow": (REVIEW_OPERATIONS, review_flow.api),
    "program_api": ((*PROGRAM_OPERATIONS, *RULE_OPERATIONS), program_api.api),
    "klaviyo_connection": (CONNECTION_OPERATIONS, klaviyo_connection.api),
}
DOCUMENT = openapi("/v1")


def test_the_committed_description_is_fresh() -> None:
    """After a change: ``python tools/openapi.py``."""
    assert (ROOT / "docs" / "api" / "openapi.json").read_text(encoding="utf-8") == openapi_json("/v1")


@pytest.mark.parametrize("folder", BY_FUNCTION)
def test_the_gateway_and_the_function_know_the_operations_and_no_others(folder: str) -> None:
    operations, resolver = BY_FUNCTION[folder]
    wanted = {(operation.method, operation.path) for operation in operations}
    (function,) = [function for function in functions() if function.folder == folder]
    assert {(event["Method"], event["Path"]) for event in function.events("Api")} == wanted
    routes = {(route.method, route.path) for route in (*resolver._static_routes, *resolver._dynamic_routes)}
    assert routes == {(operation.method, operation.route) for operation in operations}


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_reference_of_the_description_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references(DOCUMENT) == known


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.operation_id)
def test_an_operation_is_described_whole(operation: Operation) -> None:
    """What it is for, who may, what it takes and answers, with examples that fit."""
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert described["operationId"] == operation.operation_id
    assert described["summary"]
    parameters = {(parameter["in"], parameter["name"]) for parameter in described["parameters"]}
    assert {name for place, name in parameters if place == "path"} == set(operation.path_parameters)
    assert "503" in described["responses"]
    if operation.access != "everybody":
        assert {"401", "403"} <= set(described["responses"])
    contents = [described["requestBody"]["content"]] if operation.body else []
    also = str(operation.also)
    contents += [response["content"] for status, response in described["responses"].items() if status != also]
    for content in contents:
        ((kind, media),) = content.items()
        if operation.operation_id != "read_openapi" or kind != "application/json":
            schema = {**media["schema"], "components": DOCUMENT["components"]}
            OAS31Validator(schema).validate(media["example"])
    assert json.dumps(described)


def test_every_answer_in_the_examples_is_one_of_an_operation() -> None:
    assert set(ANSWERS) == {operation.operation_id for operation in OPERATIONS if operation.answer}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.operation_id)
def test_an_example_names_every_field_that_an_answer_always_has_and_no_other(operation: Operation) -> None:
    """A model passes over what it does not know, and so would a description."""
    if operation.answer and not issubclass(operation.answer, RootModel):
        known = {each.serialization_alias or name for name, each in operation.answer.model_fields.items()}
        assert set(ANSWERS[operation.operation_id]) <= known


def test_operation_ids_are_unique() -> None:
    assert len({operation.operation_id for operation in OPERATIONS}) == len(OPERATIONS)
