"""Transactions on items that many write at the same time, none of them for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb.errors import BUSY_ITEM, FAILED_CONDITION, cancellation_codes, storage_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

TRIES = 10
"""How often somebody else may be at it; a transaction takes a few milliseconds."""


def transact(client: DynamoDBClient, writes: Sequence[TransactWriteItemTypeDef]) -> list[str]:
    """Carry out writes together; none when they went through, else the code of each, since a condition failed.

    Raises:
        Transient: others kept writing the same items, or storage is out of reach.
    """
    tries = 0
    while True:
        tries += 1
        with storage_errors():
            try:
                client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                codes = cancellation_codes(error)
                if BUSY_ITEM in codes and tries < TRIES:
                    continue
                if BUSY_ITEM in codes or FAILED_CONDITION not in codes:
                    raise
                return codes
            else:
                return []
