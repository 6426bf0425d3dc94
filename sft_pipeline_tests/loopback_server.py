"""An HTTP server of this process that ends without leaving a connection or a thread behind.

Belongs here: the server. Does not belong here: what it answers (stand_in, azurite.fault_proxy).
"""

import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""The option SO_LINGER by which a closed connection is reset."""


class LoopbackServer(ThreadingHTTPServer):
    """A server that knows its connections, so that it can hang up and wait for its threads."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._open: set[socket.socket] = set()
        self._lock = Lock()

    @contextmanager
    def serving(self) -> Generator[None]:
        """Answer while the block lasts."""
        thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self._hang_up()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == RESET_ON_CLOSE:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def _hang_up(self) -> None:
        """End the connections that clients keep."""
        with self._lock:
            kept = list(self._open)
        for connection in kept:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no defect."""
