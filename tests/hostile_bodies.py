"""A corpus of bodies that broke, or could break, whoever reads what comes in from outside; each with a name.

What is no valid UTF-8 comes as the gateway hands it over: in base64.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

DEEP = 20_000

HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "spaces": b" \r\n\t ",
    "a null byte": b"\x00",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "another encoding": '{"data": "ä"}'.encode("latin-1"),
    "utf-16": '{"data": []}'.encode("utf-16"),
    "compressed": gzip.compress(b'{"data": []}'),
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "a form": b"data=1&meta=2",
    "xml with an entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><review>&e;</review>',
    "half an object": b'{"data": [{"external_id": "e"',
    "two documents": b"{}{}",
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"data":' * DEEP + b"1" + b"}" * DEEP,
    "a deep review": b'{"review":' * DEEP + b"1" + b"}" * DEEP,
    "an endless number": b'{"data": ' + b"9" * 5000 + b"}",
    "a huge exponent": b'{"data": 1e999999}',
    "not a number": b'{"data": NaN, "meta": Infinity}',
    "a name twice": b'{"data": [], "data": 1, "meta": {}}',
    "half a surrogate pair": b'{"review": {"id": "\\ud800", "body": "\\udfff"}, "email": "\\ud800@x.co"}',
    "a prototype": b'{"__proto__": {"admin": true}, "constructor": 1, "__class__": "x"}',
    "words only": b'"review"',
    "true": b"true",
    "null": b"null",
    "an array of arrays": b"[[[[]]]]",
    "no members": b"{}",
    "wrong kinds": b'{"data": {"0": 1}, "meta": [], "review": [], "email": {}}',
    "a long text": json.dumps({"review": {"body": "x" * 200_000}}).encode(),
    "template tags": b'{"email": "{{ person.email }}", "review_id": "{% if x %}"}',
    "a log forger": b'{"email": "a@b.co\\r\\nINFO everything is fine", "review_id": "x\\n\\u001b[2J"}',
    "a query": b'{"email": "a\' OR 1=1;--@b.co", "review_id": "#MEMBER#candles"}',
}

WITHIN_A_REVIEW: dict[str, Any] = {
    "nothing": None,
    "truth": True,
    "a number": -1,
    "a big number": 10**30,
    "a fraction": 0.1,
    "no text": "",
    "a control character": "\u0000\u001b",
    "half a surrogate pair": "\ud800",
    "right to left": "\u202eelpmaxe",
    "a long text": "x" * 70_000,
    "an array": [[], [None]],
    "an object": {"a": {"b": {}}},
    "a key of the table": "MEMBER#candles#~",
    "a year that nobody lives in": "9999-12-31T23:59:59.999999-23:59",
    "a time without a zone": "2026-08-20 14:03:11",
    "an address with a trick": "sarah.mason@klaviyo-demo.com\u2028bcc:x@y.co",
}
"""Values for any field of a review."""
