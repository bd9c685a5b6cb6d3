"""Reads template.yaml the way the architecture tests ask about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (``!Ref X``) as their long ones (``{"Ref": "X"}``)."""


def _intrinsic(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def template() -> dict[str, Any]:
    """The whole template."""
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Loader)
    return loaded


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of every resource of a type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


def names_in(value: object) -> set[str]:
    """Logical ids and parameters that a value refers to."""
    found: set[str] = set()
    for node in nodes(value):
        if isinstance(node, dict):
            for tag in ("Ref", "Fn::GetAtt"):
                if isinstance(node.get(tag), str):
                    found.add(node[tag].split(".")[0])
            if isinstance(node.get("Fn::Sub"), str):
                found |= set(re.findall(r"\$\{(\w+)", node["Fn::Sub"]))
    return found


def nodes(value: object) -> Iterator[object]:
    """A value and everything inside it."""
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


def listed(value: Any) -> list[Any]:
    """A value that CloudFormation takes alone or as a list, as a list."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Function:
    """A function with what the globals give it."""

    logical_id: str
    properties: dict[str, Any]

    @property
    def stem(self) -> str:
        """The logical id without its kind: ``ReviewWebhook``."""
        return self.logical_id.removesuffix("Function")

    @property
    def folder(self) -> str:
        """The name of its folders: ``review_webhook``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.stem).lower()

    @property
    def timeout(self) -> int:
        """Seconds it may take."""
        seconds = self.properties.get("Timeout", template()["Globals"]["Function"]["Timeout"])
        assert isinstance(seconds, int)
        return seconds

    @property
    def variables(self) -> dict[str, Any]:
        """Environment variables of its own, by name."""
        found: dict[str, Any] = self.properties.get("Environment", {}).get("Variables", {})
        return found

    @property
    def statements(self) -> list[dict[str, Any]]:
        """Everything that its own role allows."""
        (role,) = names_in(self.properties["Role"])
        policies = resources("AWS::IAM::Role")[role]["Policies"]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Properties of its triggers of one type."""
        events = self.properties.get("Events", {}).values()
        return [event["Properties"] for event in events if event["Type"] == kind]


def functions() -> list[Function]:
    """Every function of the template."""
    return [Function(name, found) for name, found in resources("AWS::Serverless::Function").items()]
