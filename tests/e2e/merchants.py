"""A merchant with a program and a Klaviyo account of its own, for tests that need to be alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from local.inspection import Inspection
from local.records import Records
from local.stack import Stack
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.program import Program
from loyalty.services.open_program import OpenProgram


@dataclass
class Tenant:
    """A program with a Klaviyo account of its own."""

    stack: Stack
    klaviyo: Inspection
    slug: ProgramSlug
    account: str

    @property
    def api(self) -> str:
        return f"{self.stack.description.api_url}/programs/{self.slug}"

    @property
    def programs(self) -> DynamoPrograms:
        return DynamoPrograms(self.stack.client("dynamodb"), self.stack.description.table)

    @property
    def program(self) -> Program:
        program = self.programs.load(self.slug)
        assert program is not None
        return program

    def asks(self, method: str, path: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"api-key": self.stack.description.operator_key}
        answer = requests.request(method, f"{self.api}{path}", headers=headers, json=body or None, timeout=40)
        return answer.status_code, answer.json()

    def health(self) -> dict[str, Any]:
        status, document = self.asks("GET", "/klaviyo")
        assert status == 200, document
        return document


@dataclass
class Merchant(Tenant):
    """A merchant at a browser, and what is sent to the merchant."""

    inbox: str

    def departs(self) -> tuple[str, str]:
        """Follow a start link as far as the callback's URL; the cookie is the browser's."""
        status, link = self.asks("POST", "/klaviyo/connect")
        assert status == 200, link
        start = requests.get(link["start_url"], allow_redirects=False, timeout=40)
        assert start.status_code == 302, start.text
        attributes = {part.strip().lower() for part in start.headers["Set-Cookie"].split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax"} <= attributes
        agreed = requests.get(start.headers["Location"], allow_redirects=False, timeout=40)
        assert agreed.status_code == 302, agreed.text
        return agreed.headers["Location"], start.headers["Set-Cookie"].split(";")[0]

    def connects(self) -> requests.Response:
        url, cookie = self.departs()
        return requests.get(url, headers={"Cookie": cookie}, timeout=40)

    def reviewed(self) -> str:
        """A customer submits a review at Klaviyo; the customer's address."""
        email = f"customer-{uuid.uuid4().hex}@klaviyo-demo.com"
        self.klaviyo.post("/reviews", account=self.account, email=email, rating=5, verified=True)
        return email

    def journal(self, email: str) -> list[Any]:
        records = Records(self.stack.client("dynamodb"), self.stack.description.table, self.slug)
        return list(records.journal(email))

    def heard(self, email: str) -> list[dict[str, Any]]:
        """Events that the account has of a customer, apart from the review itself."""
        events: list[dict[str, Any]] = self.klaviyo.get("/events", account=self.account, email=email)["events"]
        return [event for event in events if event["operation"] != "review"]

    def told(self) -> list[str]:
        """Notifications that arrived so far."""
        sqs = self.stack.client("sqs")
        found: list[str] = []
        while page := sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in page:
                found.append(json.loads(message["Body"])["Message"])
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return found

    def webhooks(self) -> list[dict[str, Any]]:
        everything: list[dict[str, Any]] = self.klaviyo.get("/webhooks", account=self.account)["webhooks"]
        return everything


def moved_in(stack: Stack, klaviyo: Inspection, **account: Any) -> Tenant:
    """A new program, and a new account that Klaviyo is told this of."""
    programs = DynamoPrograms(stack.client("dynamodb"), stack.description.table)
    program = OpenProgram(programs, SystemClock(), SystemRandomness())(f"life-{uuid.uuid4().hex[:8]}", "Life")
    name = uuid.uuid4().hex[:6]
    klaviyo.post("/accounts", id=name, **account)
    return Tenant(stack, klaviyo, program.slug, name)


@contextmanager
def arriving(stack: Stack, klaviyo: Inspection) -> Iterator[Merchant]:
    """A merchant who is not connected yet; the next to agree at Klaviyo is this one."""
    tenant = moved_in(stack, klaviyo)
    klaviyo.patch("/switches", authorize_account=tenant.account, refresh_token_mode="rotate")
    sqs, sns = stack.client("sqs"), stack.client("sns")
    inbox = sqs.create_queue(QueueName=f"inbox-{tenant.slug}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=stack.physical_id("NotificationTopic"), Protocol="sqs", Endpoint=arn)
    yield Merchant(stack, klaviyo, tenant.slug, tenant.account, inbox)
    klaviyo.patch("/switches", authorize_account=None, refresh_token_mode="same")
