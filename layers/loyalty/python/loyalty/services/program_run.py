"""What every run of a worker on one program tells: which program, and why it did not get to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.domain.errors import Transient
from loyalty.domain.identity import ProgramSlug


@dataclass(slots=True)
class ProgramRun:
    """A run on one program; ``trouble`` is why the rest has to come back."""

    program: ProgramSlug
    trouble: Exception | None = field(default=None, kw_only=True)

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program}

    @property
    def comes_back(self) -> bool:
        """Whether something is left to do."""
        return self.trouble is not None

    @property
    def retry_after(self) -> int | None:
        """Seconds after which the rest may be tried, if somebody named a time."""
        return self.trouble.retry_after if isinstance(self.trouble, Transient) else None
