"""A cluster on the loopback: answers each request with fixed bytes and keeps what it was asked."""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from time import sleep
from typing import Any

Frame = dict[str, Any]
END: Frame = {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}


@dataclass
class Cluster:
    """Where it listens, what it answers and after how long, what it was asked; `failing_first` are answered before."""

    url: str
    status: int = 200
    body: bytes = b"[]"
    seconds: float = 0
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failing_first: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def answer(self, frames: Sequence[Frame]) -> None:
        """Answer with these frames from now on."""
        self.body = json.dumps(frames).encode()


def table(columns: dict[str, str], rows: Sequence[Any]) -> Frame:
    """The frame of a query's one table."""
    named = [{"ColumnName": name, "ColumnType": kind} for name, kind in columns.items()]
    return {
        "FrameType": "DataTable",
        "TableId": 1,
        "TableKind": "PrimaryResult",
        "TableName": "PrimaryResult",
        "Columns": named,
        "Rows": list(rows),
    }


def frames(columns: dict[str, str], rows: Sequence[Any], *, end: Frame | None = END) -> list[Frame]:
    """A whole answer, as the v2 endpoint gives it."""
    header = {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"}
    return [header, table(columns, rows), *([end] if end else [])]


@contextmanager
def cluster() -> Generator[Cluster, None, None]:
    """A cluster that answers while the context lasts."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    running = Cluster(f"http://127.0.0.1:{server.server_port}")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            running.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            running.headers.append(dict(self.headers.items()))
            sleep(running.seconds)
            status, more = running.failing_first.pop(0) if running.failing_first else (running.status, {})
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(running.body)))
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(running.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server.RequestHandlerClass = Handler
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
