"""DynamoDB's errors, mapped to the exception tree in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from loyalty.domain.errors import LoyaltyError, Misconfigured, Transient

_PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "ThrottlingError",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ReplicatedWriteConflictException",
    }
)
_WRONG_SETUP = frozenset(
    {
        "AccessDeniedException",
        "AccessDenied",
        "ExpiredTokenException",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)
FAILED_CONDITION = "ConditionalCheckFailed"
BUSY_ITEM = "TransactionConflict"
"""Codes of a write in a cancelled transaction; the latter: somebody else is writing the same item."""

_BUSY = frozenset({BUSY_ITEM, "ProvisionedThroughputExceeded", "ThrottlingError"})


def mapped(error: ClientError) -> LoyaltyError | None:
    """The error of our tree that a service error means; None for conditions, which are answers, and unknown codes."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500 or _BUSY.intersection(cancellation_codes(error)):
        return Transient("Storage is busy; try again shortly.", aws_code=code)
    if code in _WRONG_SETUP:
        return Misconfigured(f"Storage refused the request ({code}).", aws_code=code)
    return None


@contextmanager
def storage_errors() -> Iterator[None]:
    """Let errors of the service leave the block as errors of our tree.

    Raises:
        Transient: throttled, busy or out of reach.
        Misconfigured: the table, a permission or the request itself is wrong.
    """
    try:
        yield
    except ClientError as error:
        if ours := mapped(error):
            raise ours from error
        raise
    except BotoCoreError as error:
        raise Transient("Storage is out of reach; try again shortly.", cause=type(error).__name__) from error


def cancellation_codes(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, a code for each of its writes, "None" where there was nothing against it."""
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return [str(reason.get("Code")) for reason in reasons]


def is_failed_condition(error: ClientError) -> bool:
    """True when a single write's condition did not hold."""
    return error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
