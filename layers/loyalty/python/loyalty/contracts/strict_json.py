"""JSON of callers, read strictly: what two readers could understand differently is refused."""

from __future__ import annotations

import json
from typing import Any

from loyalty.domain.errors import Invalid, TooLarge


class _Ambiguous(ValueError):
    """Something that JSON readers do not agree on."""


def read_json(body: bytes, most_bytes: int) -> Any:
    """Read a body of at most ``most_bytes`` bytes of UTF-8.

    Raises:
        TooLarge: it has more bytes.
        Invalid: ``malformed_json``; the message says what is wrong, never a value.
    """
    if len(body) > most_bytes:
        raise TooLarge(f"A request's body has at most {most_bytes} bytes.")
    if not body.strip():
        raise _malformed("it is empty")
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_number
        )
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"look at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except _Ambiguous as error:
        raise _malformed(str(error)) from None
    except ValueError:
        raise _malformed("a number has too many digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Ambiguous("a name appears twice in one object")
    return result


def _constant(_: str) -> Any:
    raise _Ambiguous("NaN and Infinity are no JSON numbers")


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _Ambiguous("a number is too large")
    return value


def _malformed(why: str) -> Invalid:
    return Invalid(f"The body is not proper JSON: {why}.", code="malformed_json")
