"""The events lane on the deployed stack: dead letters that go back to their queue."""

from __future__ import annotations

import json

from click.testing import CliRunner

from local.stack import Stack
from tallyhook.commands import main


def test_dead_letters_are_given_back_by_the_operators_command(stack: Stack) -> None:
    """The lane works on what comes back: an entry that does not exist is done with."""
    queue = stack.physical_id("EventsDeadLetterQueue")
    body = json.dumps({"program": stack.description.program, "member_id": "nobody", "seq": 1})
    stack.client("sqs").send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=stack.description.program)
    result = CliRunner().invoke(main, ["--local", str(stack.description_file), "redrive", "events", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["given_back"]["events"] >= 1
    left = stack.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    assert left["Attributes"]["ApproximateNumberOfMessages"] == "0"
