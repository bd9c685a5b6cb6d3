"""Klaviyo's filter language: `equals(email,"a@b.co"),greater-or-equal(datetime,2026-01-01T00:00:00Z)`.

A comma between terms means AND, there is no OR; strings are quoted, dates, numbers and booleans are bare, `any`
takes a list. Source: "API overview, filtering", and calls recorded from the live API.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.fake_klaviyo.errors import bad_parameter

_TERM = re.compile(r"""\s*([a-z-]+)\(\s*([\w.$]+)\s*,\s*((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^)"'])*)\)\s*(,|$)""")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


@dataclass(frozen=True)
class Term:
    """One `operator(field,value)`."""

    operator: str
    field: str
    value: Any

    def accepts(self, actual: Any) -> bool:
        """Whether a record whose field is `actual` passes."""
        match self.operator:
            case "equals":
                return _same(actual, self.value)
            case "any":
                return any(_same(actual, value) for value in self.value)
            case "contains":
                return isinstance(actual, str) and str(self.value).lower() in actual.lower()
            case "starts-with":
                return isinstance(actual, str) and actual.lower().startswith(str(self.value).lower())
            case "ends-with":
                return isinstance(actual, str) and actual.lower().endswith(str(self.value).lower())
            case _:
                return actual is not None and _ordered(self.operator, actual, self.value)


def parse_filter(text: str, allowed: Mapping[str, tuple[str, ...]]) -> list[Term]:
    """The terms of a filter; raises the 400 for a syntax error or a field or operator that is not `allowed`."""
    terms: list[Term] = []
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise bad_parameter("filter", f"The filter is malformed near '{text[position : position + 40]}'.")
        operator, name, value, separator = found.groups()
        if operator not in allowed.get(name, ()):
            raise bad_parameter("filter", f"'{operator}' is not an allowed operator for the field '{name}'.")
        parsed = _value(value.strip())
        if isinstance(parsed, list) != (operator == "any"):
            raise bad_parameter("filter", f"The value of '{operator}' has the wrong form.")
        terms.append(Term(operator, name, parsed))
        position = found.end()
        if separator == "," and position >= len(text):
            raise bad_parameter("filter", "The filter ends in a comma.")
    return terms


def _value(text: str) -> Any:
    if text.startswith("["):
        return _list(text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    if _ISO.fullmatch(text):
        return _moment(text)
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    raise bad_parameter("filter", f"The value '{text}' is neither quoted nor a date, number or boolean.")


def _list(text: str) -> list[Any]:
    try:
        parsed = json.loads(re.sub(r"'((?:\\.|[^'\\])*)'", r'"\1"', text))
    except ValueError:
        parsed = None
    if not isinstance(parsed, list):
        raise bad_parameter("filter", f"The list '{text}' is malformed.")
    return parsed


def _moment(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_parameter("filter", f"'{text}' is not a date.") from error
    if parsed.tzinfo is None:
        raise bad_parameter("filter", f"'{text}' lacks a time zone.")
    return parsed


def _same(actual: Any, wanted: Any) -> bool:
    """Equality that keeps true apart from 1."""
    return isinstance(actual, bool) == isinstance(wanted, bool) and bool(actual == wanted)


def _ordered(operator: str, actual: Any, wanted: Any) -> bool:
    if isinstance(actual, datetime) != isinstance(wanted, datetime):
        raise bad_parameter("filter", "The value has the wrong type for this field.")
    return bool(
        {
            "greater-than": actual > wanted,
            "greater-or-equal": actual >= wanted,
            "less-than": actual < wanted,
            "less-or-equal": actual <= wanted,
        }[operator]
    )
