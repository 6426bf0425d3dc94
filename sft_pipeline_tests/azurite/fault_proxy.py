"""A proxy before a blob service, on the loopback: forwards requests as they are, and makes faults on demand.

Signatures by key do not cover the host's name, so that what was signed for the proxy is good for the service.
Belongs here: bytes on the wire. Does not belong here: which request meets which fault (fault_rules).
"""

import socket
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from sft_pipeline_tests.azurite.fault_rules import Asked, Exchange, Faults, Rule
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.loopback_server import RESET_ON_CLOSE, LoopbackServer

_OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Answer(NamedTuple):
    """What goes back to the client; `size` is what Content-Length says, None where it is not sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    size: str | None


class Proxied(NamedTuple):
    """The emulator as seen through a proxy, and the proxy's faults."""

    azurite: Azurite
    faults: Faults


@contextmanager
def proxied(azurite: Azurite) -> Generator[Proxied]:
    """A proxy before the emulator while the block lasts."""
    with _Server(azurite) as server, server.serving():
        url = f"http://127.0.0.1:{server.server_port}{urlsplit(azurite.account_url).path}"
        yield Proxied(azurite._replace(account_url=url), server.faults)


class _Server(LoopbackServer):
    def __init__(self, azurite: Azurite) -> None:
        super().__init__(_Handler)
        self.service, self.faults = urlsplit(azurite.account_url).netloc, Faults()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - as http.server calls them

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = cast("_Server", self.server)
        asked = Asked.of(self.command, self.path, len(body), self.headers.get("x-ms-range", ""))
        rule, exchange = server.faults.begin(asked)
        rule.before()
        if rule.kind == "reset":
            self._reset()
            return
        if rule.kind == "refused":
            answer = _refusal(rule)
        else:
            sent = _flipped(body) if rule.kind == "corrupted" else body
            answer = _forwarded(server.service, self.command, self.path, self.headers.items(), sent)
            if rule.kind == "corrupted" and answer.status == 400:
                answer = _refusal(Rule(status=400, code="Md5Mismatch"))  # Azurite says InvalidOperation, Azure this
        rule.after()
        if rule.kind == "lost":
            self._reset()
            return
        self._answer(rule, exchange, answer)

    def _answer(self, rule: Rule, exchange: Exchange, answer: Answer) -> None:
        exchange.status = answer.status
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.size is not None:
            self.send_header("Content-Length", answer.size)
        self.end_headers()
        body = _flipped(answer.body) if rule.kind == "damaged" else answer.body
        if self.command == "HEAD":  # a body would be read as the next answer of this connection
            body = b""
        with suppress(ConnectionError):
            self.wfile.write(body[: len(body) // 2] if rule.kind == "cut" else body)
        if rule.kind == "cut":
            self._reset()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _forwarded(service: str, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    with closing(HTTPConnection(service, timeout=60)) as connection:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            if name.lower() != "connection":
                connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _OF_THE_HOP]
        size = response.getheader("Content-Length") if method == "HEAD" else str(len(content))
        return Answer(response.status, kept, content, size)


def _refusal(rule: Rule) -> Answer:
    told = (
        f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{rule.code}</Code><Message>no</Message></Error>".encode()
    )
    headers = [("x-ms-error-code", rule.code), ("Content-Type", "application/xml")]
    if rule.retry_after is not None:
        headers.append(("Retry-After", rule.retry_after))
    return Answer(rule.status, headers, told, str(len(told)))


def _flipped(body: bytes) -> bytes:
    at = len(body) // 2
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if body else body
