"""A service that answers every query with the bytes of one file: `python -m bench.decode.service FILE`.

Belongs here: the service, and having one while a block lasts. It is a process of its own and counts against no side.
"""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


@contextmanager
def serving(body: Path) -> Generator[str]:
    """The address of a service with this body."""
    command = [sys.executable, "-m", "bench.decode.service", str(body)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise SystemExit("the service has no pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()  # which ends its standard input, and so the service


def serve(body: bytes) -> None:
    """Answer until standard input ends; the address is the first line of standard output."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]).read_bytes())
