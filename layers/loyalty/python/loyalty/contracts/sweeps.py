"""The message that has one shard of the due index swept."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


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
