"""Looks through everything the deployed stack has written once all its tests are over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import pytest
import requests
from boto3.dynamodb.types import TypeDeserializer

from local.fake_klaviyo.seed import DEFAULT_CLIENT_SECRET
from local.inspection import Inspection
from local.stack import Stack
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.kms import KmsVault
from loyalty.domain.errors import LoyaltyError
from loyalty.domain.identity import ProgramSlug
from tests.secrecy import Secrecy


class Watch:
    """Remembers what the API answered, and in the end looks for secrets in answers, log lines, items and messages."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.answers: list[tuple[str, str]] = []
        self.secrecy = Secrecy()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hear every answer that tests get from the API; pages and errors are kept, new keys are secrets."""
        send = requests.Session.send

        def heard(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            answer = send(session, request, **options)
            if (request.url or "").startswith(self._stack.description.api_url):
                self._hear(answer)
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(requests.Session, "send", heard)
            yield

    def _hear(self, answer: requests.Response) -> None:
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith(("text/html", "application/problem+json")):
            self.answers.append((f"{answer.request.method} answered {answer.status_code}", answer.text))
        with suppress(ValueError):
            document = answer.json()
            if isinstance(document, dict):
                self.secrecy.keep("an API key", document.get("api_key"))

    def findings(self) -> list[str]:
        """Where a secret was found, and what kind of secret."""
        self._learn()
        found = [f"{where}: {what}" for where, text in self.answers for what in self.secrecy.in_text(text)]
        lines = list(self._log_lines())
        found += [f"log of {group}: {what}" for group, line in lines for what in self.secrecy.in_text(line)]
        items = list(self._items())
        found += [f"item of type {item.get('type')}: {what}" for item in items for what in self.secrecy.in_item(item)]
        found += [
            f"message in {queue}: {what}"
            for queue, body in self._messages()
            for what in self.secrecy.in_text(body, addresses="Reviews" not in queue)
        ]
        assert lines, "there was nothing to look at"
        assert items, "there was nothing to look at"
        return sorted(set(found))

    def _learn(self) -> None:
        """Every secret there is: the deployment's, the programs', and those that Klaviyo handed out or was told."""
        told = self._stack.description
        self.secrecy.keep("the operator's key", told.operator_key)
        self.secrecy.keep("an API key", told.api_key, told.api_key.rpartition("_")[2])
        self.secrecy.keep("the app's secret", DEFAULT_CLIENT_SECRET)
        self.secrecy.keep("a private key", self._stack.klaviyo.private_key)
        vault = KmsVault(self._stack.client("kms"), told.credentials_key_id)
        programs = DynamoPrograms(self._stack.client("dynamodb"), told.table)
        for slug in {item["program"] for item in self._items() if item.get("type") == "connection"}:
            program = programs.load(ProgramSlug(slug))
            connection = program.connection if program else None
            if connection is None:
                continue
            tokens = [connection.tokens.refresh] if connection.tokens else []
            sealed = [connection.credential, *tokens, *(each for hook in connection.webhooks for each in hook.secrets)]
            for secret in filter(None, sealed):
                with suppress(LoyaltyError):
                    self.secrecy.keep("a credential or webhook secret", vault.decrypt(ProgramSlug(slug), secret))
        if self._stack.klaviyo.is_fake:
            klaviyo = Inspection(self._stack.klaviyo.url)
            for install in klaviyo.get("/installs")["installs"]:
                self.secrecy.keep("a token", install["refresh_token"], *install["access_tokens"])
            for review in klaviyo.get("/reviews")["reviews"]:
                self.secrecy.keep_words("a review's text", review.get("title"), review.get("content"))
        assert len(self.secrecy.secrets) >= 5, "the secrets could not be learnt"

    def _log_lines(self) -> Iterator[tuple[str, str]]:
        logs = self._stack.client("logs")
        for page in logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                name = cast(str, group["logGroupName"])
                for events in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                    yield from ((name.rpartition("/")[2], event["message"]) for event in events["events"])

    def _messages(self) -> Iterator[tuple[str, str]]:
        """What nobody has taken off a queue: above all what was given up on."""
        sqs = self._stack.client("sqs")
        for url in sqs.list_queues().get("QueueUrls", []):
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
            yield from ((url.rpartition("/")[2], message["Body"]) for message in answer.get("Messages", []))

    def _items(self) -> Iterator[dict[str, Any]]:
        read = TypeDeserializer().deserialize
        pages = self._stack.client("dynamodb").get_paginator("scan").paginate(TableName=self._stack.description.table)
        for page in pages:
            for item in page["Items"]:
                yield {name: _plain(read(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    return value.value if hasattr(value, "value") else value
