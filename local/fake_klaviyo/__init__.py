"""A strict, stateful stand-in for Klaviyo, for tests and for the local stack.

It answers the operations Tallyhook uses as the official API does (JSON:API bodies, scopes, rate-limit windows,
asynchronous import jobs, `unique_id` deduplication, OAuth with PKCE, signed webhook deliveries) and is stricter
wherever Klaviyo would swallow a mistake in silence. Faults on demand and an inspection API under `/_fake/` make
it a test instrument; `README.md` in this folder describes both.

Run it with `python -m local.fake_klaviyo --port 0 --port-file PATH`, or in one process with
`local.fake_klaviyo.fake.FakeKlaviyo` (no sockets) or `local.fake_klaviyo.server.FakeServer` (over HTTP).
"""
