"""The emulator holds policies to their condition keys as AWS does, so that what a role leaves out is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.emulator import REGION, Emulator
from local.guarded_emulator import leading_keys
from tests.emulator import emulated_table, on_emulator

READS_MEMBERS = {"dynamodb:LeadingKeys": ["MEMBER#*"]}


@dataclass(frozen=True)
class Somebody:
    """Somebody whom a policy limits as our functions' roles do."""

    dynamodb: Any
    kms: Any
    table: str
    key: str

    def is_let(self, call: str, **request: Any) -> bool:
        """Whether a call is allowed, whatever becomes of it."""
        try:
            getattr(self.kms if call in {"encrypt", "decrypt"} else self.dynamodb, call)(**request)
        except ClientError as error:
            return "AccessDenied" not in error.response["Error"]["Code"]
        return True


@pytest.fixture
def somebody(emulator: Emulator, emulated_dynamodb: Any) -> Iterator[Somebody]:
    iam, key = emulator.client("iam"), emulator.client("kms").create_key()["KeyMetadata"]
    with emulated_table(emulated_dynamodb) as table:
        arn = emulated_dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
        bound = {
            "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["program"]},
            "Null": {"kms:EncryptionContextKeys": "false"},
        }
        allowed = [
            ("dynamodb:GetItem", arn, {"ForAllValues:StringLike": READS_MEMBERS}),
            ("dynamodb:BatchGetItem", arn, {"ForAllValues:StringLike": READS_MEMBERS}),
            ("dynamodb:Query", arn, {"ForAllValues:StringLike": READS_MEMBERS}),
            ("dynamodb:Query", f"{arn}/index/due", {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["DUE#*"]}}),
            ("dynamodb:PutItem", arn, {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["IDEM#*"]}}),
            ("dynamodb:UpdateItem", arn, {"ForAllValues:StringLike": READS_MEMBERS}),
            ("kms:Encrypt", key["Arn"], bound),
        ]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
                for action, resource, condition in allowed
            ],
        }
        iam.create_user(UserName=table)
        iam.put_user_policy(UserName=table, PolicyName="limited", PolicyDocument=json.dumps(policy))
        keys = iam.create_access_key(UserName=table)["AccessKey"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name=REGION)
        dynamodb, kms = (session.client(each, endpoint_url=emulator.endpoint_url) for each in ("dynamodb", "kms"))
        yield Somebody(dynamodb, kms, table, key["KeyId"])


def item(pk: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": pk}, "sk": {"S": "x"}}


@on_emulator
def test_only_partitions_of_the_policys_prefixes_are_let(somebody: Somebody) -> None:
    table = somebody.table
    for pk, let in (("MEMBER#candles#m1", True), ("PROGRAM#candles", False), ("IDEM#candles#k", False)):
        assert somebody.is_let("get_item", TableName=table, Key=item(pk)) is let
        batch = {table: {"Keys": [item("MEMBER#candles#m2"), item(pk)]}}
        assert somebody.is_let("batch_get_item", RequestItems=batch) is let
        values = {":pk": {"S": pk}}
        asked = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": values}
        assert somebody.is_let("query", TableName=table, **asked) is let
    for pk, let in (("DUE#3", True), ("UPKEEP#0", False)):
        asked = {"KeyConditionExpression": "due_pk = :pk AND due_sk < :now", "IndexName": "due"}
        values = {":pk": {"S": pk}, ":now": {"S": "2026"}}
        assert somebody.is_let("query", TableName=table, ExpressionAttributeValues=values, **asked) is let


@on_emulator
def test_each_write_of_a_transaction_is_let_by_itself(somebody: Somebody) -> None:
    """As AWS checks it: one write's prefix opens nothing for another."""

    def transaction(put: str, update: str) -> bool:
        changed = {"UpdateExpression": "SET points = :p", "ExpressionAttributeValues": {":p": {"N": "1"}}}
        writes = [
            {"Put": {"TableName": somebody.table, "Item": item(put)}},
            {"Update": {"TableName": somebody.table, "Key": item(update), **changed}},
        ]
        return somebody.is_let("transact_write_items", TransactItems=writes)

    assert transaction("IDEM#candles#k", "MEMBER#candles#m1")
    assert not transaction("MEMBER#candles#m2", "MEMBER#candles#m1")
    assert not transaction("IDEM#candles#k", "IDEM#candles#l")


@on_emulator
@pytest.mark.parametrize(
    ("context", "let"), [({"program": "candles"}, True), ({}, False), ({"program": "candles", "other": "x"}, False)]
)
def test_the_key_is_used_for_a_program_and_for_nothing_else(
    somebody: Somebody, context: dict[str, str], let: bool
) -> None:
    given = {"EncryptionContext": context} if context else {}
    assert somebody.is_let("encrypt", KeyId=somebody.key, Plaintext=b"secret", **given) is let


def test_a_requests_partition_keys_are_found_wherever_it_names_them() -> None:
    named = {
        "KeyConditionExpression": "#f = :a AND feed_sk < :b",
        "ExpressionAttributeNames": {"#f": "feed_pk"},
        "ExpressionAttributeValues": {":a": {"S": "OWED#x"}, ":b": {"S": "2026"}},
    }
    assert leading_keys(named) == ["OWED#x"]
    batch = [{"PutRequest": {"Item": item("IDEM#x")}}, {"DeleteRequest": {"Key": item("ALIAS#x")}}]
    assert leading_keys({"RequestItems": {"t": batch}}) == ["IDEM#x", "ALIAS#x"]
    assert leading_keys({"TableName": "t"}) == []
