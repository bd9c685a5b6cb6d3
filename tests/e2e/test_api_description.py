"""Requests that schemathesis makes of the API's own description, sent to the deployed stack.

Whatever is sent, no answer is a 5xx, and each is one that the description promises: its status, its kind, its headers
and its form. A run makes few requests of each operation, the same ones each time; ``HYPOTHESIS_PROFILE=nightly`` makes
hundreds.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.stack import Stack
from loyalty.contracts.openapi import openapi

DESCRIPTION = openapi("/v1")
SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS = [(path, method.upper()) for path, methods in DESCRIPTION["paths"].items() for method in methods]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 4
MEMBERS = (
    "sarah.mason@klaviyo-demo.com",
    "nobody@klaviyo-demo.com",
    "{{ person.email }}",
    "\u017farah@klaviyo-demo.com",
)


@dataclass(frozen=True)
class Shop:
    """A program of this module's own, whose settings and connection may be turned upside down."""

    root: str
    slug: str
    keys: dict[str, str]
    key_id: str


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Shop:
    slug, root = f"described-{uuid.uuid4().hex[:8]}", stack.description.api_url
    operator = {"api-key": stack.description.operator_key}
    opened = requests.post(f"{root}/programs", json={"slug": slug, "name": "Described"}, headers=operator, timeout=60)
    assert opened.status_code == 201, opened.text
    first = {"api-key": opened.json()["api_key"]}
    keys, key_id = {"operator": stack.description.operator_key, "none": ""}, ""
    for scope in ("admin", "members:read"):
        form = {"name": scope, "scopes": [scope], "per_minute": 6000}
        made = requests.post(f"{root}/programs/{slug}/keys", json=form, headers=first, timeout=60).json()
        keys[scope], key_id = made["api_key"], made["key"]["key_id"]
    item = [{"email": MEMBERS[0], "amount": 100, "reason": "First"}]
    assert requests.post(f"{root}/programs/{slug}/balance/increase", json=item, headers=first, timeout=60).ok
    return Shop(root, slug, keys, key_id)


def cases(path: str, method: str) -> st.SearchStrategy[Any]:
    """Requests as described, and requests that are not."""
    operation: Any = SCHEMA[path][method]
    return st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode])


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=str)
def test_every_answer_is_one_that_the_description_promises(shop: Shop, path: str, method: str) -> None:
    @seed(7)
    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(
        case=cases(path, method),
        key=st.sampled_from(["admin", "admin", "admin", "operator", "members:read", "none"]),
        ours=st.sampled_from([True, True, True, False]),
        email=st.sampled_from([*MEMBERS, ""]),
    )
    def send(case: Any, key: str, *, ours: bool, email: str) -> None:
        if ours:
            known = {"slug": shop.slug, "key_id": shop.key_id, **({"email": email} if email else {})}
            case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
        response = case.call(base_url=shop.root, headers={"api-key": shop.keys[key]}, timeout=60)
        case.validate_response(response, checks=CHECKS)

    send()
