"""One API call from arrival to answer: the checks in Klaviyo's order, faults, the handler."""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.fake_klaviyo.access import check_permission, check_revision, identify
from local.fake_klaviyo.contract import Contract
from local.fake_klaviyo.errors import STATUS_CODES, ApiError, Problem, refused
from local.fake_klaviyo.exchange import JSON_API, Answer, JsonObject, Request, Transport
from local.fake_klaviyo.faults import Fault
from local.fake_klaviyo.operations import BodyItem, Call, Operation, Principal, Reply
from local.fake_klaviyo.query import parse_query
from local.fake_klaviyo.rate_limits import QuotaKey, throttled
from local.fake_klaviyo.services import Services

LARGEST_BODY = 5_000_000
"""Bytes after decompression; the documented 5 MB in its smaller reading."""

_STATUS_FAULT = {"hang": Transport.SILENCE, "reset_before": Transport.RESET}


@dataclass
class Trace:
    """What became known about a call on its way, for the log."""

    principal: Principal | None = None
    fault: Fault | None = None
    items: int | None = None


def run(
    services: Services,
    contract: Contract | None,
    operation: Operation,
    params: dict[str, str],
    request: Request,
    trace: Trace,
) -> Answer:
    """Answer one call of a known operation; never raises an ApiError."""
    headers: dict[str, str] = {}
    try:
        check_revision(request)
        with services.world.lock:
            principal = trace.principal = identify(services.world, services.oauth, request)
            check_permission(operation, principal)
            key = QuotaKey(principal.account.id, principal.client, operation.name)
            headers = services.limiter.take(key, operation.limits)
        _check_accept(request)
        query = parse_query(request, operation.query)
        body = _body(services, contract, operation, request)
        items = operation.items(body) if operation.items else []
        trace.items = len(items) if operation.items else None
        account = principal.account.id
        fault = trace.fault = services.faults.take(operation.name, account, [i.fields for i in items])
        if fault is not None and (stopped := _fault_before(services, fault, items)) is not None:
            return stopped
        with services.world.lock:
            reply = operation.handle(Call(services, principal, request, params, query, body))
        return _fault_after(fault, _answer(reply, headers))
    except ApiError as error:
        error.headers = {**({} if error.status == 429 else headers), **error.headers}
        return error.answer()


def faulty(services: Services, fault: Fault, work: Callable[[], Answer]) -> Answer:
    """Do `work` under a fault; for pages outside the JSON:API, whose bodies have no items."""
    try:
        stopped = _fault_before(services, fault, [])
    except ApiError as error:
        return error.answer()
    return stopped or _fault_after(fault, work())


def decompressed(request: Request) -> bytes:
    """The body without its content encoding, refused with 413 when it is above the limit."""
    encoding = request.header("content-encoding").lower()
    body = request.body
    if encoding == "gzip":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
                body = stream.read(LARGEST_BODY + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise refused("The body is not valid gzip.") from error
    elif encoding not in ("", "identity"):
        raise ApiError(415, [Problem("Unsupported content encoding.", code="unsupported_media_type")])
    if len(body) > LARGEST_BODY:
        raise ApiError(413, [Problem("The request exceeds the maximum size of 5 MB.", code="request_too_large")])
    return body


def _check_accept(request: Request) -> None:
    accepted = {part.partition(";")[0].strip() for part in request.header("accept").lower().split(",")}
    if not accepted & {"", "*/*", "application/*", JSON_API}:
        raise ApiError(406, [Problem(f"Only {JSON_API} can be returned.", code="not_acceptable")])


def _body(services: Services, contract: Contract | None, operation: Operation, request: Request) -> JsonObject:
    raw = decompressed(request)
    if operation.check is None:
        return {}
    if request.header("content-type").partition(";")[0].strip().lower() != JSON_API:
        raise ApiError(415, [Problem(f"The Content-Type must be {JSON_API}.", code="unsupported_media_type")])
    body = _parsed(raw)
    operation.check(body, services.clock.now())
    if contract is not None and (problems := contract.request_problems(operation.name, body)):
        raise ApiError(400, problems)
    return body


def _parsed(raw: bytes) -> JsonObject:
    def unique(pairs: list[tuple[str, Any]]) -> JsonObject:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise refused("The body holds an object with a repeated key.")
        return found

    def not_json(name: str) -> Any:
        raise refused(f"{name} is not JSON.")

    try:
        body = json.loads(raw, object_pairs_hook=unique, parse_constant=not_json)
    except ValueError as error:
        raise refused("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise refused("The body must be a JSON object.", "/")
    return body


def _fault_before(services: Services, fault: Fault, items: list[BodyItem]) -> Answer | None:
    if fault.kind in _STATUS_FAULT:
        seconds = fault.seconds if fault.kind == "hang" else 0.0
        return Answer(0, transport=_STATUS_FAULT[fault.kind], seconds=seconds)
    if fault.kind == "status":
        raise _status_error(services, fault)
    if fault.kind == "bad_item":
        raise _bad_item(fault, items)
    return None


def _status_error(services: Services, fault: Fault) -> ApiError:
    if fault.status == 429:
        return throttled(services.clock, 1.0, fault.retry_after or 1)
    code = STATUS_CODES[fault.status]
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return ApiError(fault.status, [Problem(fault.detail or "An injected fault.", code=code)], headers)


def _bad_item(fault: Fault, items: list[BodyItem]) -> ApiError:
    if fault.match is not None:
        item = next(item for item in items if fault.match.fits(item.fields))
    else:
        item = items[min(fault.index, len(items) - 1)]
    pointer = item.pointer if fault.pointer else "/data"
    return refused(fault.detail or "An injected fault: this item is invalid.", pointer)


def _fault_after(fault: Fault | None, answer: Answer) -> Answer:
    if fault is None:
        return answer
    match fault.kind:
        case "delay":
            return Answer(answer.status, answer.headers, answer.body, seconds=fault.seconds)
        case "reset_after":
            return Answer(0, transport=Transport.RESET)
        case "malformed_body":
            return Answer(answer.status, answer.headers, b'{"data": [<html>')
        case _:
            return answer


def _answer(reply: Reply, headers: dict[str, str]) -> Answer:
    if reply.document is None:
        return Answer(reply.status, headers)
    return Answer(reply.status, {"Content-Type": JSON_API, **headers}, json.dumps(reply.document).encode())
