"""The messages of the two lanes towards Klaviyo. They say that something is owed; what it is, the table says."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel

from loyalty.domain.identity import MemberId, ProgramSlug

_SLUG = Field(min_length=1, max_length=63)


class OwedEvent(BaseModel):
    """Klaviyo is owed the event of one journal entry."""

    model_config = ConfigDict(frozen=True)

    program: Annotated[ProgramSlug, _SLUG]
    member_id: Annotated[MemberId, Field(min_length=1, max_length=64)]
    seq: Annotated[int, Field(ge=1)]


class SyncTask(BaseModel):
    """Something about a program's profiles goes on: its full sync, or (``job``) one bulk import is to be looked at."""

    model_config = ConfigDict(frozen=True)

    program: Annotated[ProgramSlug, _SLUG]
    job: Annotated[str, Field(max_length=64)] = ""


class ReplayStep(BaseModel):
    """A program's replay of events is to go on."""

    model_config = ConfigDict(frozen=True)

    program: Annotated[ProgramSlug, _SLUG]
    replay: Annotated[str, Field(min_length=1, max_length=40)]


class EventsMessage(RootModel[OwedEvent | ReplayStep]):
    """A message of the events lane."""


class OwedProfiles(BaseModel):
    """Klaviyo is owed the newest state of some members of a program."""

    model_config = ConfigDict(frozen=True)

    program: Annotated[ProgramSlug, _SLUG]
