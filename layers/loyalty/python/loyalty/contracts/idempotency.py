"""Names that callers give their requests, so that sending one again does not do it again."""

from __future__ import annotations

from loyalty.domain.errors import Invalid

LONGEST_KEY = 255

IDEMPOTENCY_HEADER = "idempotency-key"


def read_idempotency_key(header: str | None) -> str:
    """The key of a whole request; empty when there is none.

    Raises:
        Invalid: ``invalid_idempotency_key``.
    """
    key = (header or "").strip()
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise Invalid(
            f"An idempotency key has at most {LONGEST_KEY} printable characters.", code="invalid_idempotency_key"
        )
    return key
