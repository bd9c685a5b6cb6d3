"""Starts the AWS emulator and has it know two condition keys that our policies stand on, and that it leaves out.

A condition of ``ForAllValues`` holds where its key is missing, so without them a function could read any item and
nobody would notice, nor that a function may not read what it needs: ``dynamodb:LeadingKeys``, the partition keys a
request names, in a transaction those of one write at a time, and ``kms:EncryptionContextKeys``.

It runs as a program of its own, in place of ``python -m ministack``, and leans on that one version's inner functions;
of another version it fails at once.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

PARTITION_KEYS: Final = frozenset({"pk", "feed_pk", "due_pk", "roster_pk"})
"""Of the table and of its indexes."""

LEADING_KEYS: Final = "dynamodb:LeadingKeys"
CONTEXT_KEYS: Final = "kms:EncryptionContextKeys"

_EQUALITY: Final = re.compile(r"([#\w]+)\s*=\s*(:\w+)")
_WRITES: Final = ("ConditionCheck", "Put", "Update", "Delete", "Get")

Request = Mapping[str, Any]


def leading_keys(request: Request) -> list[str]:
    """The partition keys that a request to DynamoDB names."""
    if "RequestItems" in request:
        return [_value(key["pk"]) for each in request["RequestItems"].values() for key in _batched(each)]
    if "KeyConditionExpression" in request:
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        equalities = _EQUALITY.findall(request["KeyConditionExpression"])
        return [_value(values[value]) for name, value in equalities if names.get(name, name) in PARTITION_KEYS]
    item = request.get("Key") or request.get("Item") or {}
    return [_value(item["pk"])] if "pk" in item else []


def _batched(asked: Any) -> list[Mapping[str, Any]]:
    """The keys, or items, of a table in a batch: of one that reads, or of one that writes."""
    if isinstance(asked, dict):
        return list(asked.get("Keys", ()))
    return [each["PutRequest"]["Item"] if "PutRequest" in each else each["DeleteRequest"]["Key"] for each in asked]


def condition_keys(service: str, request: Request) -> dict[str, list[str]]:
    """What AWS tells a policy's conditions about a request; of a transaction nothing, as its writes stand alone."""
    if service == "dynamodb" and (named := leading_keys(request)):
        return {LEADING_KEYS: named}
    if service == "kms" and (context := request.get("EncryptionContext")):
        return {CONTEXT_KEYS: sorted(context)}
    return {}


class _Write(str):
    """The table that a write of a transaction is checked for, with the partition keys it names."""

    __slots__ = ("keys",)
    keys: list[str]


def guard() -> None:
    """Teach the emulator in this process."""
    actions: Any = importlib.import_module("ministack.core.iam_actions")
    evaluator: Any = importlib.import_module("ministack.core.iam_evaluator")
    told, checks, enforce = actions.request_tag_context, actions.dynamodb_transaction_checks, evaluator.enforce

    def all_told(service: str, action: str, body: bytes, params: Any) -> dict[str, Any]:
        return {**told(service, action, body, params), **condition_keys(service, _read(body))}

    def each_write(action: str, body: bytes, *where: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = checks(action, body, *where)
        if not found:
            return []
        writes = [item[kind] for item in _read(body)["TransactItems"] for kind in _WRITES if kind in item]
        return [(name, _with_keys(table, write)) for (name, table), write in zip(found, writes, strict=True)]

    def enforced(*request: Any, resource_arn: str = "*", service_context: Any = None) -> Any:
        if isinstance(resource_arn, _Write):
            service_context = {**(service_context or {}), LEADING_KEYS: resource_arn.keys}
        return enforce(*request, resource_arn=resource_arn, service_context=service_context)

    actions.request_tag_context, actions.dynamodb_transaction_checks = all_told, each_write
    evaluator.enforce = enforced


def _with_keys(table: str, write: Request) -> str:
    checked = _Write(table)
    checked.keys = leading_keys(write)
    return checked


def _read(body: bytes) -> Request:
    try:
        request = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _value(attribute: Mapping[str, str]) -> str:
    return attribute.get("S", "")


if __name__ == "__main__":
    guard()
    importlib.import_module("ministack.app").main()
