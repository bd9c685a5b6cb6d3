"""Query parameters of the JSON:API operations: filters, sorting, paging, sparse fields, includes.

Unknown or ill-formed parameters are refused, as Klaviyo does.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from local.fake_klaviyo.errors import bad_parameter
from local.fake_klaviyo.exchange import JsonObject, Request
from local.fake_klaviyo.filters import Term, parse_filter

Item = TypeVar("Item")

_BRACKETED = re.compile(r"(fields|additional-fields)\[([a-z-]+)\]")


@dataclass(frozen=True)
class QueryRules:
    """Which query parameters an operation takes."""

    fields: tuple[str, ...] = ()
    """Resource types that `fields[...]` may name."""
    additional_fields: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    page_size: tuple[int, int] | None = None
    """Default and maximum of `page[size]`, where the operation has it."""
    cursor: bool = False


@dataclass(frozen=True)
class Query:
    """The parsed parameters of one call."""

    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    additional_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    sort: str | None = None
    terms: tuple[Term, ...] = ()
    page_size: int | None = None
    offset: int = 0

    def trimmed(self, resource: JsonObject) -> JsonObject:
        """The resource with only the attributes that `fields[type]` asked for."""
        wanted = self.fields.get(resource["type"])
        if wanted is None:
            return resource
        kept = {key: value for key, value in resource["attributes"].items() if key in wanted}
        return {**resource, "attributes": kept}

    def select(self, items: Sequence[Item], accessors: Mapping[str, Callable[[Item], Any]]) -> list[Item]:
        """Items that pass every filter term, in the order asked for."""
        kept = [item for item in items if all(term.accepts(accessors[term.field](item)) for term in self.terms)]
        if self.sort is not None:
            key = accessors[self.sort.lstrip("-")]
            kept.sort(key=lambda item: (key(item) is not None, key(item)), reverse=self.sort.startswith("-"))
        return kept

    def page(self, items: Sequence[Item]) -> Sequence[Item]:
        """The page asked for."""
        if self.page_size is None:
            return items[self.offset :]
        return items[self.offset : self.offset + self.page_size]

    def links(self, request: Request, total: int, fixed_size: int | None = None) -> JsonObject:
        """`self`, `next` and `prev` of a collection of `total` items; the latter two are null at the ends."""
        size = self.page_size or fixed_size or total or 1
        following, previous = self.offset + size, max(0, self.offset - size)
        return {
            "self": _url(request, None),
            "next": _url(request, following) if following < total else None,
            "prev": _url(request, previous) if self.offset > 0 else None,
        }


def parse_query(request: Request, rules: QueryRules) -> Query:
    """Parse and check the query of a request; raises the 400 that names the parameter."""
    given: dict[str, str] = {}
    for name, value in request.query:
        if name in given:
            raise bad_parameter(name, f"'{name}' is given twice.")
        given[name] = value
    fields: dict[str, frozenset[str]] = {}
    additional: dict[str, frozenset[str]] = {}
    for name, value in given.items():
        if (bracketed := _BRACKETED.fullmatch(name)) is not None:
            kind, resource = bracketed.groups()
            accepted = rules.fields if kind == "fields" else rules.additional_fields
            _refuse_unless(resource in accepted, name)
            (fields if kind == "fields" else additional)[resource] = frozenset(value.split(","))
        else:
            _refuse_unless(_is_known(name, rules), name)
    return Query(
        fields=fields,
        additional_fields=additional,
        include=_include(given.get("include"), rules),
        sort=_sort(given.get("sort"), rules),
        terms=tuple(parse_filter(given.get("filter", ""), rules.filters)),
        page_size=_page_size(given.get("page[size]"), rules),
        offset=_offset(given.get("page[cursor]")),
    )


def _is_known(name: str, rules: QueryRules) -> bool:
    known = {
        "include": bool(rules.include),
        "sort": bool(rules.sort),
        "filter": bool(rules.filters),
        "page[size]": rules.page_size is not None,
        "page[cursor]": rules.cursor,
    }
    return known.get(name, False)


def _refuse_unless(known: bool, name: str) -> None:
    if not known:
        raise bad_parameter(name, f"'{name}' is not a valid query parameter for this endpoint.")


def _include(value: str | None, rules: QueryRules) -> tuple[str, ...]:
    names = tuple(value.split(",")) if value else ()
    for name in names:
        if name not in rules.include:
            raise bad_parameter("include", f"'{name}' cannot be included.")
    return names


def _sort(value: str | None, rules: QueryRules) -> str | None:
    if value is not None and value.removeprefix("-") not in rules.sort:
        raise bad_parameter("sort", f"'{value}' is not a valid sort field.")
    return value


def _page_size(value: str | None, rules: QueryRules) -> int | None:
    if rules.page_size is None:
        return None
    default, largest = rules.page_size
    if value is None:
        return default
    if not value.isdecimal() or not 1 <= int(value) <= largest:
        raise bad_parameter("page[size]", f"Page size must be an integer between 1 and {largest}.")
    return int(value)


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("offset:"))
    except (ValueError, binascii.Error) as error:
        raise bad_parameter("page[cursor]", "Invalid cursor.") from error


def _url(request: Request, offset: int | None) -> str:
    query = [pair for pair in request.query if pair[0] != "page[cursor]" or offset is None]
    if offset is not None:
        query.append(("page[cursor]", base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()))
    return f"{request.base_url}{request.path}" + (f"?{urlencode(query)}" if query else "")
