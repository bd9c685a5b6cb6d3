"""What the models of the HTTP API share: strictness, text that can be stored, and errors that name every place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from loyalty.domain.errors import Invalid, Rejected
from loyalty.domain.identity import MAX_EMAIL_LENGTH, normalise_email

_Form = TypeVar("_Form")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Form(BaseModel):
    """Something a caller sends: nothing is converted, and nothing unknown is passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Told(BaseModel):
    """Something a caller is told."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class FieldError(Told):
    """One thing that is wrong with a request. Where it is in the body, and never what was there."""

    where: Annotated[str, Field(description="Place in the body.", examples=["0.amount"])]
    code: Annotated[str, Field(description="Stable name of the error.", examples=["greater_than"])]
    message: Annotated[str, Field(description="What would be right.", examples=["Input should be greater than 0"])]


class Refused(ValueError):
    """A value is not acceptable, for a reason with a stable name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _email(text: str) -> str:
    try:
        return normalise_email(text)
    except Invalid as error:
        raise Refused(error.code, error.message) from None


def _storable(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Refused("not_text", "Half of a surrogate pair is no character")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise Refused("blank", "This must not be empty")
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""Text that is stored as it was sent."""

Words = Annotated[Text, AfterValidator(_not_blank), Field(min_length=1)]
"""Text that says something."""

EmailAddress = Annotated[
    str,
    AfterValidator(_email),
    Field(
        description=f"E-mail address, fewer than {MAX_EMAIL_LENGTH + 1} characters; case does not count.",
        examples=["sarah.mason@klaviyo-demo.com"],
        min_length=3,
        json_schema_extra={"format": "email"},
    ),
]


@cache
def adapter_of(form: Any) -> TypeAdapter[Any]:
    """What checks documents against a form; made once a process."""
    return TypeAdapter(form)


def filled_in(form: type[_Form] | Any, document: Any, what: str) -> _Form:
    """Check a document against a form.

    Raises:
        Rejected: ``invalid_<what>``, with every error at once as the fact ``errors``.
    """
    kind: Any = form
    try:
        checked: _Form = adapter_of(kind).validate_python(document)
    except ValidationError as error:
        errors = [_told(problem) for problem in error.errors(include_url=False, include_input=False)]
        raise invalid(what, errors) from None
    return checked


def _told(problem: Mapping[str, Any]) -> dict[str, Any]:
    where, code, message = ".".join(map(_step, problem["loc"])), problem["type"], problem["msg"]
    refused = problem.get("ctx", {}).get("error")
    if isinstance(refused, Refused):
        code, message = refused.code, str(refused)
    return FieldError(where=where, code=code, message=message).model_dump()


def _step(step: int | str) -> str:
    """A step into a document; a caller's own name for a field is told only if it looks like the name of one."""
    return str(step) if isinstance(step, int) or _NAME.fullmatch(step) else "?"


def invalid(what: str, errors: list[dict[str, Any]]) -> Rejected:
    """The refusal that lists what is wrong; nothing of the request has happened."""
    places = "one place" if len(errors) == 1 else f"{len(errors)} places"
    return Rejected(
        f"The request is wrong in {places}, and nothing of it was done; see errors.",
        code=f"invalid_{what}",
        errors=errors,
    )
