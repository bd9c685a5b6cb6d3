"""The one sequence of operations that every ledger is measured with."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Operation:
    """Earn or spend points, reverse an earlier earning (``target``), or repeat an earlier request (``target``)."""

    number: int
    kind: Literal["earn", "spend", "reverse", "repeat"]
    member: str
    points: int
    target: int = 0


class Measured(Protocol):
    """A ledger that can carry the operations out."""

    def apply(self, operation: Operation) -> None:
        """Carry out one operation, for good."""

    def balances(self) -> dict[str, int]:
        """Every member's points, to see that all ledgers did the same."""


def sequence(members: int, each: int, seed: int = 1) -> list[Operation]:
    """Operations in random order, never taking what is not there: about 60 % earn, 30 % spend, the rest both others."""
    dice = random.Random(seed)
    names = [f"member-{number}" for number in range(members)]
    balance = dict.fromkeys(names, 0)
    earned: dict[str, list[Operation]] = {name: [] for name in names}
    done: list[Operation] = []
    turns = [name for name in names for _ in range(each)]
    dice.shuffle(turns)
    for number, name in enumerate(turns, start=1):
        operation = _operation(dice, number, name, balance[name], earned[name], done)
        done.append(operation)
        if operation.kind == "earn":
            earned[name].append(operation)
            balance[name] += operation.points
        elif operation.kind != "repeat":
            balance[name] -= operation.points
    return done


def _operation(
    dice: random.Random, number: int, name: str, balance: int, earned: list[Operation], done: list[Operation]
) -> Operation:
    draw = dice.random()
    if draw < 0.3 and balance:
        return Operation(number, "spend", name, dice.randint(1, balance))
    if draw < 0.35 and earned and earned[-1].points <= balance:
        original = earned.pop()
        return Operation(number, "reverse", name, original.points, original.number)
    if draw < 0.4 and done and done[-1].kind in ("earn", "spend"):
        return Operation(number, "repeat", done[-1].member, done[-1].points, done[-1].number)
    return Operation(number, "earn", name, dice.randint(10, 500))
