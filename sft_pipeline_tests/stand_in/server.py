"""The service on a socket: HTTP/1.1 with kept connections, chunked and compressed bodies, and broken ones on demand.

Belongs here: bytes on the wire. Does not belong here: what they say (service).
"""

import gzip
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline_tests.loopback_server import RESET_ON_CLOSE, LoopbackServer
from sft_pipeline_tests.stand_in.answers import Answers, Engine
from sft_pipeline_tests.stand_in.limits import Limits
from sft_pipeline_tests.stand_in.service import Reply, Service

CHUNK_BYTES = 64 << 10


@contextmanager
def stand_in(
    source: Path | Engine | Answers, limits: Limits | None = None, **options: Any
) -> Generator[Service, None, None]:
    """A service while the context lasts.

    Args:
        source: a telemetry folder, an engine, or answers that several services share.
        limits: rows, bytes, time, slots; those of Azure Data Explorer when not given.
        options: see `Service`.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="stand-in-")))
        server = stack.enter_context(_Server(_Handler))
        answers = source if isinstance(source, Answers) else Answers(_engine(source, folder), folder)
        service = Service(f"http://127.0.0.1:{server.server_port}", answers, limits=limits or Limits(), **options)
        server.service = service
        with server.serving():
            yield service
    if service.defects:
        raise service.defects[0]


def _engine(source: Path | Engine, folder: Path) -> Engine:
    return EmbeddedKusto(source, store=folder / "store", staged_chunks=4) if isinstance(source, Path) else source


class _Server(LoopbackServer):
    service: Service


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def service(self) -> Service:
        """What answers."""
        return cast("_Server", self.server).service

    def do_GET(self) -> None:
        self._answer(self.service.get(self.path.partition("?")[0]))

    def do_POST(self) -> None:
        service = self.service
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            reply = service.post(self.path.partition("?")[0], dict(self.headers.items()), body)
        except BaseException as error:
            service.defects.append(error)
            reply = Reply(500, b"", delivery="reset")
        with suppress(ConnectionError):
            self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        if reply.delivery == "reset":
            self._reset()
            return
        body, headers = reply.body, {"Content-Type": "application/json; charset=UTF-8", **reply.headers}
        if self.service.gzip and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        chunked = reply.status == 200 and reply.delivery != "cut"
        headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(body if reply.delivery == "whole" else body[: len(body) // 2], reply, chunked=chunked)

    def _write(self, body: bytes, reply: Reply, *, chunked: bool) -> None:
        if not chunked:
            self.wfile.write(body)
        for at in range(0, len(body), CHUNK_BYTES) if chunked else ():
            piece = body[at : at + CHUNK_BYTES]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if reply.delivery == "cut":
            self._reset()
        elif reply.delivery == "cut_chunked":
            self.close_connection = True
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
