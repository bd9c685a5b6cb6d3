"""The points of a member by where they are and where they went."""

from __future__ import annotations

from dataclasses import dataclass, fields

MAX_POINTS = 1_000_000_000
"""The most points one command may move; keeps every sum far inside exact integers of JSON and DynamoDB."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Points as integers: a state, or with signs the change that one entry makes.

    ``available`` can be spent, ``pending`` waits for its activation, ``held`` is reserved for a checkout.
    The rest are lifetime totals: ``earned`` (ever made available), ``spent``, ``expired``, ``deducted`` (taken
    by hand), ``reversed`` (earnings taken back). Always
    ``earned == available + held + spent + expired + deducted + reversed``.
    """

    available: int = 0
    pending: int = 0
    held: int = 0
    earned: int = 0
    spent: int = 0
    expired: int = 0
    deducted: int = 0
    reversed: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        """Sum, amount by amount."""
        return Amounts(*(getattr(self, name) + getattr(other, name) for name in AMOUNT_NAMES))

    def __neg__(self) -> Amounts:
        """The change that undoes this one."""
        return Amounts(*(-getattr(self, name) for name in AMOUNT_NAMES))

    @property
    def is_conserved(self) -> bool:
        """True when nothing appeared or vanished: every point ever earned is somewhere."""
        gone = self.spent + self.expired + self.deducted + self.reversed
        return self.earned == self.available + self.held + gone

    def non_zero(self) -> dict[str, int]:
        """The amounts that are not zero, by name."""
        return {name: value for name in AMOUNT_NAMES if (value := getattr(self, name))}


AMOUNT_NAMES = tuple(field.name for field in fields(Amounts))
