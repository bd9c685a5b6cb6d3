"""Klaviyo's webhook deliveries as tests need them: events, bodies, signed headers, gateway events."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from loyalty.domain.connection import Webhook
from loyalty.domain.program import Program
from loyalty.ports import Vault
from tests.builders import a_connection, a_program

WEBHOOK_ID = "01HF7AYTK76RHR4F17G6DGTRGF"
SECRET = "whsec-for-tests-0123456789abcdef"
TIMESTAMP = "Thu, 20 Aug 2026 14:04:02 GMT"
REVIEW = "event:klaviyo.submitted_review"
RATING = "event:klaviyo.submitted_rating"
TEXT = "Burns for hours and smells of Provence."


@dataclass
class LambdaContext:
    """What Lambda tells a function about its invocation."""

    function_name: str = "test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:000000000000:function:test"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"


def a_review_event(number: int = 1, *, topic: str = REVIEW, **properties: Any) -> dict[str, Any]:
    """One review event; a property that is given as None is left out."""
    said: dict[str, Any] = {
        "review_id": f"{number:032x}",
        "review_rating": 5,
        "review_title": "Lovely",
        "review_content": TEXT,
        "review_author": "Sarah M",
        "review_email": "sarah.mason@klaviyo-demo.com",
        "review_status": "pending",
        "review_verified": True,
        "review_has_media": False,
        "structured_product": {"product_name": "Candle", "url": "https://shop.klaviyo-demo.com/products/candle"},
        "$event_id": f"review-{number:032x}",
    }
    said = {name: value for name, value in (said | properties).items() if value is not None}
    event_id = f"evt{number:08d}"
    attributes = {"timestamp": 1787234591, "event_properties": said, "datetime": "2026-08-20 14:03:11+00:00"}
    return {
        "external_id": event_id,
        "topic": topic,
        "payload": {"data": {"type": "event", "id": event_id, "attributes": attributes}},
    }


def a_body(*events: Any, webhook_id: str = WEBHOOK_ID) -> bytes:
    """The body of a delivery of these events."""
    meta = {"klaviyo_account_id": "AbC123", "klaviyo_webhook_id": webhook_id, "version": "2026-07-15"}
    return json.dumps({"data": list(events), "meta": meta}).encode()


def signed(body: bytes, *, secret: str = SECRET, webhook_id: str = WEBHOOK_ID) -> dict[str, str]:
    """The headers of a delivery, signed as Klaviyo documents it."""
    signature = hmac.new(secret.encode(), body + TIMESTAMP.encode(), hashlib.sha256).hexdigest()
    return {
        "klaviyo-webhook-id": webhook_id,
        "klaviyo-timestamp": TIMESTAMP,
        "klaviyo-signature": signature,
    }


def a_listening_program(vault: Vault, *secrets: str, **changes: Any) -> Program:
    """A program whose webhook has these secrets."""
    program = a_program(**changes)
    sealed = tuple(vault.encrypt(program.slug, secret) for secret in secrets or (SECRET,))
    webhook = Webhook(WEBHOOK_ID, (REVIEW, RATING), sealed)
    return a_program(connection=a_connection(webhooks=(webhook,)), **changes)


def a_proxy_event(slug: str, headers: dict[str, str], body: bytes, *, as_base64: bool = False) -> dict[str, Any]:
    """The event that API Gateway makes of a request."""
    path = f"/webhooks/klaviyo/{slug}"
    return {
        "resource": "/webhooks/klaviyo/{slug}",
        "path": path,
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"slug": slug},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/webhooks/klaviyo/{slug}",
            "httpMethod": "POST",
            "path": f"/v1{path}",
            "stage": "v1",
            "requestId": "gateway-request-1",
            "identity": {"sourceIp": "203.0.113.7"},
        },
        "body": base64.b64encode(body).decode() if as_base64 else body.decode(),
        "isBase64Encoded": as_base64,
    }


def a_queue_event(*messages: Any) -> dict[str, Any]:
    """The event that Lambda makes of these queue messages."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": f"receipt-{number}",
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1787234643000",
                    "SenderId": "AIDAEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": "1787234643001",
                    "MessageGroupId": message.group,
                },
                "messageAttributes": {
                    name: {"stringValue": value, "dataType": "String"} for name, value in message.attributes.items()
                },
                "md5OfBody": hashlib.md5(message.body.encode()).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:reviews",
                "awsRegion": "eu-central-1",
            }
            for number, message in enumerate(messages)
        ]
    }
