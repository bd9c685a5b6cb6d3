"""The table of ``template.yaml``, created through a client: one definition of keys and indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.architecture.template import resources

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def create_table(client: DynamoDBClient, name: str) -> None:
    """Create the ledger's table as the template defines it and wait until it is there."""
    ((_, definition),) = resources("AWS::DynamoDB::Table").items()
    client.create_table(
        TableName=name,
        AttributeDefinitions=definition["AttributeDefinitions"],
        KeySchema=definition["KeySchema"],
        GlobalSecondaryIndexes=definition["GlobalSecondaryIndexes"],
        BillingMode=definition["BillingMode"],
        StreamSpecification={
            "StreamEnabled": True,
            "StreamViewType": definition["StreamSpecification"]["StreamViewType"],
        },
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
