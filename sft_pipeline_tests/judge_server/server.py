"""The service on a socket: paths of OpenAI and of Azure OpenAI, keys, refusals, and broken answers on demand.

Belongs here: HTTP. Does not belong here: what is said (brain), files and batches (batches).
"""

import re
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

from sft_pipeline_tests.judge_server.asked import Asked, Log
from sft_pipeline_tests.judge_server.batches import Batches, BatchFault
from sft_pipeline_tests.judge_server.brain import MODEL, Brain, by_words, completion
from sft_pipeline_tests.judge_server.faults import Fault, Faults, no_faults
from sft_pipeline_tests.loopback_server import RESET_ON_CLOSE, LoopbackServer

_CHAT = re.compile(r"/v1/chat/completions|/openai/deployments/[^/]+/chat/completions")
_BATCH = re.compile(r"/(?:v1|openai)/batches/([\w-]+)(/cancel)?")
_FILE = re.compile(r"/(?:v1|openai)/files/([\w-]+)")
_CONTENT = re.compile(r"/(?:v1|openai)/files/([\w-]+)/content")
_MODELS = re.compile(r"/(?:v1|openai)/models")


@dataclass
class Served:
    """A service while it lasts; tests may change what it does at any time.

    Args:
        root: its address without a path.
        brain: what its model says.
        faults: what goes wrong with single questions.
        key: what clients must send; empty: anything will do.
        models: those that it has.
        tells_logprobs: whether it takes requests for them.
    """

    root: str
    brain: Brain = by_words
    faults: Faults = no_faults
    key: str = ""
    models: tuple[str, ...] = (MODEL,)
    tells_logprobs: bool = True
    log: Log = field(default_factory=Log)
    batches: Batches = field(init=False)
    defects: list[BaseException] = field(default_factory=list[BaseException])
    over: Event = field(default_factory=Event, repr=False)

    def __post_init__(self) -> None:
        self.batches = Batches(self._line)

    @property
    def url(self) -> str:
        """The base URL of OpenAI's paths; those of Azure lie under `root`."""
        return f"{self.root}/v1"

    def next_batches(self, *faults: BatchFault) -> None:
        """What goes wrong with the batches to come."""
        self.batches.faults.extend(faults)

    def _line(self, custom_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked = self.log.question(body, custom_id)
        fault = self.faults(asked)
        if fault is not None:
            return fault.status, {"error": fault.error}
        return self.refusal(body) or (200, self.said(asked))

    def said(self, asked: Asked) -> dict[str, Any]:
        """The answer."""
        return completion(asked, self.brain(asked))

    def refusal(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Why a question is not answered, if it is not."""
        if body.get("model") not in self.models:
            return 404, {
                "error": {"message": "no such model", "code": "model_not_found", "type": "invalid_request_error"}
            }
        if body.get("logprobs") and not self.tells_logprobs:
            message = "'logprobs' is not supported with this model"
            return 400, {"error": {"message": message, "param": "logprobs", "code": "unsupported_parameter"}}
        return None


@contextmanager
def judge_server(**options: Any) -> Generator[Served]:
    """A service while the block lasts.

    Args:
        options: fields of `Served`.
    """
    with _Server(_Handler) as server:
        served = Served(f"http://127.0.0.1:{server.server_port}", **options)
        server.served = served
        with server.serving():
            try:
                yield served
            finally:
                served.over.set()
    if served.defects:
        raise served.defects[0]


class _Server(LoopbackServer):
    served: Served


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def served(self) -> Served:
        """What answers."""
        return cast("_Server", self.server).served

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_GET  # noqa: N815 - as http.server calls it

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) < size:  # the client was killed
            self.close_connection = True
            return
        path = urlsplit(self.path).path
        self.served.log.call(self.command, path)
        try:
            with suppress(ConnectionError):
                self._route(path, body)
        except BaseException as error:
            self.served.defects.append(error)
            self._reset()

    def _route(self, path: str, body: bytes) -> None:
        if not self._let_in():
            self._refuse(401, {"message": f"Incorrect API key provided: {self._given()}", "code": "invalid_api_key"})
        elif _CHAT.fullmatch(path):
            self._chat(orjson.loads(body))
        elif _MODELS.fullmatch(path):
            self._json(200, {"object": "list", "data": [{"id": name} for name in self.served.models]})
        else:
            self._batch_api(path, body)

    def _batch_api(self, path: str, body: bytes) -> None:
        batches = self.served.batches
        if path.endswith("/files") and self.command == "POST":
            self._json(200, batches.upload(_uploaded(body)))
        elif path.endswith("/batches"):
            self._batches(body)
        elif found := _BATCH.fullmatch(path):
            self._found(batches.cancel(found[1]) if found[2] else batches.look(found[1]))
        elif found := _CONTENT.fullmatch(path):
            self._content(batches.content(found[1]))
        elif found := _FILE.fullmatch(path):
            self._found(batches.look_at_file(found[1]))
        else:
            self._refuse(404, {"message": "no such path"})

    def _given(self) -> str:
        return self.headers.get("api-key") or (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _let_in(self) -> bool:
        return not self.served.key or self._given() == self.served.key

    def _batches(self, body: bytes) -> None:
        batches = self.served.batches
        if self.command == "POST":
            told = batches.create(orjson.loads(body))
            if batches.made[told["id"]].fault.lost:
                self._reset()
            else:
                self._json(200, told)
        else:
            made = [batches.told(batch) for batch in reversed(batches.made.values())]
            self._json(200, {"object": "list", "data": made, "has_more": False})

    def _chat(self, body: dict[str, Any]) -> None:
        asked = self.served.log.question(body)
        fault = self.served.faults(asked)
        if fault is not None:
            self._break(fault, asked)
        elif refusal := self.served.refusal(body):
            self._json(*refusal)
        else:
            self._json(200, self.served.said(asked))

    def _break(self, fault: Fault, asked: Asked) -> None:
        whole = orjson.dumps(self.served.said(asked))
        match fault.kind:
            case "status":
                self._refuse(fault.status, fault.error, fault.headers)
            case "reset":
                self._reset()
            case "cut":
                self._send(200, whole[: len(whole) // 2], size=len(whole))
                self._reset()
            case "stuck":
                self.served.over.wait()
                self._reset()
            case "no_json":
                self._send(200, whole[: len(whole) // 2])
            case "web_page":
                self._send(200, b"<html>Please sign in</html>", kind="text/html")
            case "odd_json":
                self._json(200, {"id": "x", "choices": []})

    def _content(self, content: bytes | None) -> None:
        if content is None:
            self._refuse(404, {"message": "no such file"})
        else:
            self._send(200, content, kind="application/octet-stream")

    def _found(self, document: dict[str, Any] | None) -> None:
        if document is None:
            self._refuse(404, {"message": "not found", "code": "model_not_found"})
        else:
            self._json(200, document)

    def _refuse(self, status: int, error: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, orjson.dumps({"error": error}), headers=headers or {})

    def _json(self, status: int, document: dict[str, Any]) -> None:
        self._send(status, orjson.dumps(document))

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        kind: str = "application/json",
        size: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _uploaded(body: bytes) -> bytes:
    """The file of a form with one file."""
    boundary = body[: body.index(b"\r\n")]
    head = body.index(b'name="file"')
    begin = body.index(b"\r\n\r\n", head) + 4
    return body[begin : body.index(b"\r\n" + boundary, begin)]
