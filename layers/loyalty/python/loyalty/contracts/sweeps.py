"""The messages of sweeps: one shard of the due index, or everybody in a program whose terms were changed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from loyalty.domain.errors import Invalid


class SweepShard(BaseModel):
    """Attend to the members of ``shard`` that are due by ``until``.

    ``after`` is where an earlier run of the same sweep stopped, empty for its beginning; ``begun`` is when the sweep
    began.
    """

    model_config = ConfigDict(frozen=True)

    shard: Annotated[int, Field(ge=0)]
    until: AwareDatetime
    begun: AwareDatetime
    after: str = ""

    @classmethod
    def read(cls, message: str) -> SweepShard:
        """Take a message apart.

        Raises:
            Invalid: it is none of ours.
        """
        try:
            return cls.model_validate_json(message)
        except ValidationError as error:
            raise Invalid("This is not a message of a sweep.", code="unreadable_message") from error


class ProgramToSettle(BaseModel):
    """Attend to all members of ``program``, from behind the member ``after`` on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: str
    after: str = ""

    @classmethod
    def read(cls, message: str) -> ProgramToSettle | None:
        """Take a message apart; None if it is about something else."""
        try:
            return cls.model_validate_json(message)
        except ValidationError:
            return None
