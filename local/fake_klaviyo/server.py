"""The fake over HTTP, on werkzeug's threaded server, bound to the loopback interface only."""

import os
import socket
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from typing_extensions import override
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request as WsgiRequest
from werkzeug.wrappers import Response as WsgiResponse

from local.fake_klaviyo.exchange import Answer, Request, Transport
from local.fake_klaviyo.fake import FakeKlaviyo

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HOST = "127.0.0.1"


class _QuietHandler(WSGIRequestHandler):
    """Logs nothing: the fake keeps its own log of calls."""

    @override
    def log(self, type: str, message: str, *args: Any) -> None:
        """Drop the line."""

    @override
    def connection_dropped(self, error: BaseException, environ: "WSGIEnvironment | None" = None) -> None:
        """Read no further request from a connection that a fault has closed."""
        self.close_connection = True


class FakeServer:
    """A running fake; as a context manager it stops at the end of the block."""

    def __init__(self, fake: FakeKlaviyo, port: int = 0) -> None:
        self.fake = fake
        self._server = make_server(HOST, port, self._application, threaded=True, request_handler=_QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="fake-klaviyo-server", daemon=True)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.server_port}"

    def start(self) -> None:
        """Accept requests, on a thread of its own."""
        self.fake.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, end the threads and close the socket."""
        self.fake.stop()
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _application(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = self.fake.handle(_request(environ))
        if answer.seconds:
            self.fake.services.faults.pause(answer.seconds)
        if answer.transport is not Transport.ANSWER:
            _hang_up(environ["werkzeug.socket"], reset=answer.transport is Transport.RESET)
        return _response(answer)(environ, start_response)


def _request(environ: "WSGIEnvironment") -> Request:
    incoming = WsgiRequest(environ)
    return Request(
        method=incoming.method,
        path=incoming.path,
        query=tuple(parse_qsl(incoming.query_string.decode(), keep_blank_values=True)),
        headers={name.lower(): value for name, value in incoming.headers},
        body=incoming.get_data(cache=False),
        base_url=incoming.host_url.rstrip("/"),
    )


def _response(answer: Answer) -> WsgiResponse:
    response = WsgiResponse(answer.body, status=answer.status)
    del response.headers["Content-Type"]
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response


def _hang_up(connection: socket.socket, *, reset: bool) -> None:
    """Close the connection under the server without an answer; with `reset` the peer sees a TCP reset."""
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
    raise ConnectionAbortedError


def write_port_file(path: Path, base_url: str) -> None:
    """Write the base URL in one step, so that a reader never sees half of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(f"{base_url}\n", encoding="utf-8")
    partial.replace(path)
