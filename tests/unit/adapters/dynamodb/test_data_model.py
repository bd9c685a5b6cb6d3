"""docs/data-model.md says what there is: every access pattern is a method of a store, every method a pattern."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import loyalty.adapters.dynamodb as adapters

ROOT = Path(__file__).resolve().parents[4]
DOCUMENT = (ROOT / "docs" / "data-model.md").read_text()


def stores() -> dict[str, type]:
    """Every store of the table's adapter, by its name."""
    modules = [
        importlib.import_module(f"{adapters.__name__}.{found.name}")
        for found in pkgutil.iter_modules(adapters.__path__)
    ]
    return {
        name: member
        for module in modules
        for name, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and name.startswith("Dynamo")
    }


KEY_TABLES = (("## Keys", 1), ("### Indexes", 1))


def rows_of(title: str) -> list[list[str]]:
    """The cells of each row of the first table below a heading."""
    section = DOCUMENT.partition(f"{title}\n")[2]
    table = re.search(r"(?:^\|.*\|$\n)+", section, re.MULTILINE)
    assert table, title
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table[0].splitlines()[2:]]


def test_access_patterns_and_methods_of_stores_are_the_same() -> None:
    """Neither is forgotten when the other changes."""
    documented = [row[1].strip("`") for row in rows_of("## Access patterns")]
    existing = {f"{name}.{method}" for name, store in stores().items() for method in vars(store) if method[0] != "_"}
    assert set(documented) == existing
    assert len(documented) == len(set(documented))


def test_every_index_named_is_one_of_the_tables() -> None:
    template = (ROOT / "template.yaml").read_text()
    indexes = set(re.findall(r"IndexName: (\w+)", template))
    named = {row[2].strip("`") for row in rows_of("## Access patterns")}
    assert named == indexes | {"table"}
    assert {row[0].strip("`") for row in rows_of("### Indexes")} == indexes


def test_every_kind_of_key_is_listed() -> None:
    """The tags that key strings begin with, here and in the module that makes them."""
    source = (ROOT / "layers/loyalty/python/loyalty/adapters/dynamodb/keys.py").read_text()
    made = set(re.findall(r'"([A-Z]+)#', source)) - {"ENTRY"}
    listed = {row[column].strip("`").partition("#")[0] for title, column in KEY_TABLES for row in rows_of(title)}
    assert listed == made
