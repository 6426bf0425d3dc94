"""The least that can be done: orjson and a bare connection, one file after another. `... URL REQUESTS ASKING FOLDER`.

Lines are made, sent, and what comes back is read into a dict; the labels alone are written, and whatever goes wrong
ends it.
"""

import os
import sys
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from bench.labels.answers import Clock, tell_labels

AT_ONCE = 35_000
FORM_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="requests.jsonl"\r\n\r\n'
FORM_END = b"\r\n--b--\r\n"


def main(url: str, requests: Path, asking: dict[str, Any], folder: Path) -> None:
    """Until every request has a label."""
    clock = Clock()
    columns = pq.read_table(requests, columns=["requestId", "request", "history"]).to_pydict()
    texts = dict(zip(columns["requestId"], zip(columns["request"], columns["history"], strict=True), strict=True))
    connection, labels = HTTPConnection(urlsplit(url).netloc), dict[str, int]()
    while missing := [request for request in texts if request not in labels]:
        for begin in range(0, len(missing), AT_ONCE):
            lines = [_line(request, *texts[request], asking) for request in missing[begin : begin + AT_ONCE]]
            labels |= _asked(connection, lines)
    pq.write_table(pa.table({"requestId": list(labels), "label": list(labels.values())}), folder / "labels.parquet")
    with (folder / "labels.parquet").open("rb") as file:
        os.fsync(file.fileno())
    tell_labels(clock.told(), labels.items())


def _line(request_id: str, request: str, history: str, asking: dict[str, Any]) -> bytes:
    user = asking["user"].replace("{history}", history).replace("{request}", request)
    messages = [{"role": "system", "content": asking["system"]}, {"role": "user", "content": user}]
    body = {"model": asking["model"], "messages": messages, **asking["parameters"]}
    return orjson.dumps({"custom_id": request_id, "method": "POST", "url": "/v1/chat/completions", "body": body})


def _asked(connection: HTTPConnection, lines: list[bytes]) -> dict[str, int]:
    file = orjson.loads(_answer(connection, "POST", "/v1/files", FORM_HEAD + b"\n".join(lines) + FORM_END))
    batch = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = orjson.loads(_answer(connection, "POST", "/v1/batches", orjson.dumps(batch)))
    content = _answer(connection, "GET", f"/v1/files/{made['output_file_id']}/content", b"")
    results = map(orjson.loads, content.splitlines())
    return {told["custom_id"]: int(told["response"]["body"]["choices"][0]["message"]["content"]) for told in results}


def _answer(connection: HTTPConnection, method: str, path: str, body: bytes) -> bytes:
    connection.request(method, path, body)
    return connection.getresponse().read()


if __name__ == "__main__":
    with TemporaryDirectory(dir=sys.argv[4]) as name:
        main(sys.argv[1], Path(sys.argv[2]), orjson.loads(Path(sys.argv[3]).read_bytes()), Path(name))
