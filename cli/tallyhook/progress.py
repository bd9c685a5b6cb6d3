"""People's progress, on standard error where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

Thing = TypeVar("Thing")


def shown(things: Iterable[Thing], *, label: str = "members", quiet: bool = False) -> Iterable[Thing]:
    """The same things, counted for whoever watches."""
    if quiet or not sys.stderr.isatty():
        yield from things
        return
    with click.progressbar(things, label=label, file=sys.stderr, show_pos=True) as bar:
        yield from bar


def counted(amounts: Iterable[int], *, label: str, length: int, quiet: bool = False) -> Iterator[int]:
    """The same amounts, added up towards ``length`` for whoever watches."""
    if quiet or not sys.stderr.isatty():
        yield from amounts
        return
    with click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True) as bar:
        for amount in amounts:
            bar.update(amount)
            yield amount
