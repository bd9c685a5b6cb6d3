"""A benchmark's outcome: a ratio or a counted number, against a goal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Result:
    """One figure. ``better`` says which way the goal lies, ``detail`` how the figure came about, in raw numbers."""

    name: str
    value: float
    unit: str
    goal: float
    better: Literal["higher", "lower"]
    detail: str

    @property
    def ok(self) -> bool:
        """True when the goal is reached."""
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    @property
    def line(self) -> str:
        """The figure for people."""
        sign, verdict = ("≥" if self.better == "higher" else "≤"), ("ok" if self.ok else "MISSED")
        return (
            f"{verdict:6} {self.name:32} {self.value:>9,g} {self.unit} (goal {sign} {self.goal:g})\n{'':7}{self.detail}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The figure for machines."""
        return {**asdict(self), "ok": self.ok}


def write(results: Sequence[Result], file: Path) -> None:
    """Write all figures as a JSON list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([result.facts for result in results], indent=2, ensure_ascii=False) + "\n")
