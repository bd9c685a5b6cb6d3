"""Collecting what is wrong with a request body, each with a JSON pointer to the place."""

from collections.abc import Collection
from typing import Any

from local.fake_klaviyo.errors import ApiError, Problem
from local.fake_klaviyo.exchange import JsonObject

_MOST_REPORTED = 50


class Findings:
    """The problems found so far in one request body."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, pointer: str, detail: str) -> None:
        """Note one problem at `pointer`."""
        self.problems.append(Problem(detail, pointer))

    def raise_if_any(self) -> None:
        """Refuse the request with 400 when anything was found."""
        if self.problems:
            raise ApiError(400, self.problems[:_MOST_REPORTED])

    def object(
        self,
        value: Any,
        pointer: str,
        required: Collection[str] = (),
        optional: Collection[str] | None = None,
    ) -> JsonObject:
        """`value` as an object; notes missing keys and, where `optional` is given, unknown ones.

        Klaviyo ignores unknown keys in silence, so a misspelt field would go unnoticed; the fake refuses them.
        """
        if not isinstance(value, dict):
            self.add(pointer, "An object is required.")
            return {}
        for key in required:
            if value.get(key) is None:
                self.add(f"{pointer}/{key}", f"'{key}' is a required field.")
        if optional is not None:
            for key in value.keys() - set(required) - set(optional):
                self.add(f"{pointer}/{key}", f"'{key}' is not a valid field (Klaviyo would ignore it).")
        return value

    def resource(
        self,
        value: Any,
        pointer: str,
        kind: str,
        required: Collection[str] = ("type", "attributes"),
        optional: Collection[str] = (),
    ) -> JsonObject:
        """`value` as a JSON:API resource of type `kind`; returns it (or an empty object)."""
        found = self.object(value, pointer, required, optional)
        if "type" in found and found["type"] != kind:
            self.add(f"{pointer}/type", f"Invalid type: '{kind}' is required.")
        return found

    def list(self, value: Any, pointer: str) -> list[Any]:
        """`value` as a list (or an empty one)."""
        if isinstance(value, list):
            return value
        self.add(pointer, "A list is required.")
        return []

    def text(self, value: Any, pointer: str, longest: int | None = None, shortest: int = 0) -> None:
        """Note when `value` is neither absent nor a string of a fitting length."""
        if value is None:
            return
        if not isinstance(value, str):
            self.add(pointer, "A string is required.")
        elif len(value) < shortest:
            self.add(pointer, f"Must have at least {shortest} character(s).")
        elif longest is not None and len(value) > longest:
            self.add(pointer, f"Must have at most {longest} characters.")
