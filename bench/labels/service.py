"""The Batch API of a service that answers at once: `python -m bench.labels.service`.

It answers while a file is uploaded and forgets the file: what it takes is in no side's processor time or memory. Its
results are what a real one's are now and then: in no order, a hundredth twice, and a fiftieth expired, to be asked
again.

Belongs here: the service, and having one while a block lasts. Does not belong here: any side.
"""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple

import orjson

EXPIRED_EVERY, TWICE_EVERY = 50, 100
CREATED = 1_750_000_000


class Answered(NamedTuple):
    """The answers to a file's lines; `failed` of them expired."""

    output: bytes
    errors: bytes
    completed: int
    failed: int


def answered(lines: list[bytes]) -> Answered:
    """Answer each line but every 50th, every 100th twice, in the order of their digests."""
    output, errors = list[bytes](), list[bytes]()
    for number, line in enumerate(lines):
        told = orjson.loads(line)
        if number % EXPIRED_EVERY == EXPIRED_EVERY - 1:
            errors.append(_expired(told["custom_id"]))
        else:
            result = _result(told["custom_id"], told["body"])
            output += [result] * (2 if number % TWICE_EVERY == 0 else 1)
    output.sort(key=lambda line: sha256(line).digest())
    return Answered(b"".join(output), b"".join(errors), len(lines) - len(errors), len(errors))


def _expired(custom_id: str) -> bytes:
    error = {"code": "batch_expired", "message": "This request could not be executed before the completion window."}
    return _line({"id": "batch_req", "custom_id": custom_id, "response": None, "error": error})


def _result(custom_id: str, body: dict[str, Any]) -> bytes:
    label = "0" if "design a protocol" in body["messages"][-1]["content"] else "1"
    top = [{"token": token, "logprob": -0.1 if token == label else -2.4, "bytes": None} for token in "01"]
    logprobs = {"content": [{"token": label, "logprob": -0.1, "bytes": None, "top_logprobs": top}], "refusal": None}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": label, "refusal": None},
                "finish_reason": "stop",
                "logprobs": logprobs,
            }
        ],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 1, "total_tokens": 1201},
    }
    response = {"status_code": 200, "request_id": "req", "body": completion}
    return _line({"id": "batch_req", "custom_id": custom_id, "response": response, "error": None})


def _line(result: dict[str, Any]) -> bytes:
    return orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE)


class Batches:
    """Files that were uploaded, and batches made of them."""

    def __init__(self) -> None:
        self._files: list[Answered] = []
        self._made: dict[str, dict[str, Any]] = {}
        self._lock = Lock()

    def upload(self, form: bytes) -> dict[str, Any]:
        """Answer all lines of the one file of a form."""
        begin = form.index(b"\r\n\r\n", form.index(b'name="file"')) + 4
        lines = form[begin : form.index(b"\r\n" + form[: form.index(b"\r\n")], begin)].splitlines()
        found = answered(lines)
        with self._lock:
            self._files.append(found)
            return self.file(len(self._files) - 1, len(form))

    def file(self, number: int, size: int = 0) -> dict[str, Any]:
        """A file as the API tells it."""
        told = {"id": f"file-{number}", "object": "file", "bytes": size, "created_at": CREATED}
        return {**told, "filename": "requests.jsonl", "purpose": "batch", "status": "processed"}

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A batch, which has ended."""
        number = int(asked["input_file_id"].removeprefix("file-"))
        found = self._files[number]
        counts = {"total": found.completed + found.failed, "completed": found.completed, "failed": found.failed}
        batch: dict[str, Any] = {
            "id": f"batch_{number}",
            "object": "batch",
            "endpoint": asked["endpoint"],
            "completion_window": asked["completion_window"],
            "input_file_id": asked["input_file_id"],
            "metadata": asked.get("metadata"),
            "status": "expired" if found.failed else "completed",
            "created_at": CREATED,
            "completed_at": CREATED + 1,
            "request_counts": counts,
            "output_file_id": f"output-{number}",
            "error_file_id": f"errors-{number}" if found.failed else None,
            "errors": None,
        }
        with self._lock:
            self._made[batch["id"]] = batch
        return batch

    def batch(self, name: str) -> dict[str, Any]:
        """A batch that was made."""
        return self._made[name]

    def newest(self) -> dict[str, Any]:
        """The list of all batches."""
        return {"object": "list", "data": list(reversed(self._made.values())), "has_more": False}

    def content(self, name: str) -> bytes:
        """The bytes of a file of results."""
        kind, _, number = name.partition("-")
        found = self._files[int(number)]
        return found.output if kind == "output" else found.errors


class Handler(BaseHTTPRequestHandler):
    """The paths of OpenAI's Batch API."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    batches = Batches()

    def do_GET(self) -> None:
        match self.path.partition("?")[0].strip("/").split("/")[1:]:
            case ["files", name, "content"]:
                self._send(self.batches.content(name))
            case ["files", name]:
                self._send(orjson.dumps(self.batches.file(int(name.removeprefix("file-")))))
            case ["batches", name]:
                self._send(orjson.dumps(self.batches.batch(name)))
            case ["batches"]:
                self._send(orjson.dumps(self.batches.newest()))
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = self.batches.upload(body) if self.path.endswith("/files") else self.batches.create(orjson.loads(body))
        self._send(orjson.dumps(found))

    def _send(self, body: bytes) -> None:
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Clients may leave as they like."""

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver calls it
        """A client that is gone is no defect; any other error ends what it was asked, and the side with it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving() -> Generator[str]:
    """The base URL of a service in a process of its own."""
    command = [sys.executable, "-m", "bench.labels.service"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise SystemExit("the service has no pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()  # which ends its standard input, and so the service


def serve() -> None:
    """Answer until standard input ends; the base URL is the first line of standard output."""
    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve()
