"""Signatures of system webhook deliveries.

Source: "Working with system webhooks": lowercase hexadecimal HMAC-SHA256 over the raw body followed by the
Klaviyo-Timestamp header, without a separator; the header is an HTTP date.
"""

import hashlib
import hmac
from datetime import datetime
from email.utils import format_datetime


def http_date(moment: datetime) -> str:
    """A UTC moment as an HTTP date, such as `Thu, 20 Aug 2026 14:04:02 GMT`."""
    return format_datetime(moment, usegmt=True)


def signature(secret_key: str, body: bytes, timestamp_header: str) -> str:
    """The Klaviyo-Signature header for a body sent with that timestamp header."""
    return hmac.new(secret_key.encode(), body + timestamp_header.encode(), hashlib.sha256).hexdigest()


def signed_headers(webhook_id: str, secret_key: str, body: bytes, moment: datetime) -> dict[str, str]:
    """All headers of a delivery."""
    timestamp = http_date(moment)
    return {
        "Content-Type": "application/json",
        "Klaviyo-Signature": signature(secret_key, body, timestamp),
        "Klaviyo-Timestamp": timestamp,
        "Klaviyo-Webhook-Id": webhook_id,
    }
