"""What the machine allows: the body read off loopback, then parsed once by simdjson, no value made of it. `... URL`."""

import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import simdjson

from bench.telling import tell


def main(url: str) -> None:
    """Body to simdjson's own document."""
    started = time.perf_counter()
    connection = HTTPConnection(urlsplit(url).netloc)
    connection.request("POST", "/", b"{}")
    body = connection.getresponse().read()
    frames = simdjson.Parser().parse(body)
    seconds = time.perf_counter() - started
    tell(seconds, {"rows": sum(len(frame["Rows"]) for frame in frames if frame["FrameType"] == "DataTable")})


if __name__ == "__main__":
    main(sys.argv[1])
