"""How commands show what they found: a table of names and values for people, one JSON document for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON."
)


def show(document: BaseModel, *, as_json: bool) -> None:
    """Print a document."""
    if as_json:
        click.echo(document.model_dump_json(indent=2))
        return
    for name, value in _lines(document.model_dump()):
        click.echo(f"{name}: {value}")


def tell(sentence: str, *, as_json: bool, **facts: Any) -> None:
    """Print what was done: a sentence for people, its facts for programs."""
    click.echo(json.dumps(facts, indent=2) if as_json else sentence)


def _lines(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            lines.append((prefix + name, ", ".join(_word(each) for each in value) or "none"))
        elif value not in (None, ""):
            lines.append((prefix + name, str(value)))
    return lines


def _word(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
