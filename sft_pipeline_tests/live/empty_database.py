"""A database on the loopback that takes the commands of loading and counts what it was given.

Belongs here: the two endpoints and the four texts that loading sends. Does not belong here: queries (stand_in).
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from sft_pipeline.telemetry.events import TABLE
from sft_pipeline_tests.clients.kusto.fixed_answers import frames


@dataclass
class Database:
    """Where it listens, what lies in it, which commands changed it.

    Args:
        url: where it listens.
        rows: in the raw table; None where there is no such table.
        rows_of: how many rows a command appends.
        commands: those that change something, in the order in which they came.
    """

    url: str
    rows: int | None
    rows_of: Callable[[str], int]
    commands: list[str] = field(default_factory=list[str])

    def answer(self, text: str) -> object:
        """The body that answers a command or query."""
        if text == f"{TABLE} | count":
            return frames({"Count": "long"}, [[self.rows]])
        if text == ".show tables":
            return _told([] if self.rows is None else [[TABLE]])
        self.commands.append(text)
        appended = self.rows_of(text) if text.startswith(".set-or-append") else 0
        self.rows = (self.rows or 0) + appended
        return _told([])


def _told(rows: list[list[str]]) -> dict[str, Any]:
    columns = [{"ColumnName": "TableName", "DataType": "String", "ColumnType": "string"}]
    return {"Tables": [{"TableName": "Table_0", "Columns": columns, "Rows": rows}]}


@contextmanager
def database(rows: int | None, rows_of: Callable[[str], int]) -> Generator[Database, None, None]:
    """A database that answers while the context lasts."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    there = Database(f"http://127.0.0.1:{server.server_port}", rows, rows_of)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(there.answer(asked["csl"])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server.RequestHandlerClass = Handler
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
