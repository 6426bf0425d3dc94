"""Files and batches of the service: what was uploaded, what becomes of each line, and what goes wrong with a batch.

Belongs here: the Batch API's states and files. Does not belong here: answers (brain), HTTP (server).
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Any, Literal

import orjson

Line = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]
"""The status and body of the answer to a line, by its custom_id and body."""


@dataclass(frozen=True)
class BatchFault:
    """What goes wrong with a batch.

    Args:
        status: what it ends as.
        finishes: whether a line gets done, by its number in the file.
        twice: lines whose answer comes twice, by their number; `opposite` says the second one otherwise.
        opposite: see `twice`.
        unknown: whether an answer to a question comes that nobody asked.
        damaged: whether the output file's first line is no JSON; `times_damaged` downloads long.
        times_damaged: see `damaged`.
        code: of the error of a failed batch.
        lost: whether the answer to its creation never arrives.
        polls: how many looks it takes until it has ended.
    """

    status: Literal["completed", "failed", "expired", "cancelled", "in_progress"] = "completed"
    finishes: Callable[[int], bool] = lambda _: True
    twice: Callable[[int], bool] = lambda _: False
    opposite: bool = False
    unknown: bool = False
    damaged: bool = False
    times_damaged: int = 1
    code: str = "token_limit_exceeded"
    lost: bool = False
    polls: int = 1


WELL = BatchFault()


@dataclass
class Batch:
    """A batch as the service keeps it."""

    id: str
    input_file_id: str
    metadata: Mapping[str, str]
    fault: BatchFault
    status: str = "validating"
    looks: int = 0
    output: str | None = None
    errors: str | None = None
    damage: int = 0


@dataclass
class Batches:
    """All files and batches.

    Args:
        answer: gives a line its answer.
        faults: one per batch to come; when there are none left, all is well.
        slow_files: how many looks at uploaded files find them not read yet.
    """

    answer: Line
    faults: deque[BatchFault] = field(default_factory=deque[BatchFault])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    slow_files: int = 0
    made: dict[str, Batch] = field(default_factory=dict[str, Batch])
    _lock: Lock = field(default_factory=Lock, repr=False)

    def upload(self, content: bytes) -> dict[str, Any]:
        """Keep a file."""
        with self._lock:
            return {**self._file(content, f"file-in-{len(self.files) + 1}"), "status": self._file_status()}

    def look_at_file(self, file_id: str) -> dict[str, Any] | None:
        """How a file is doing."""
        with self._lock:
            return {"id": file_id, "object": "file", "status": self._file_status()} if file_id in self.files else None

    def _file_status(self) -> str:
        self.slow_files -= 1
        return "pending" if self.slow_files >= 0 else "processed"

    def create(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a batch; its lines are answered when it ends."""
        with self._lock:
            fault = self.faults.popleft() if self.faults else WELL
            batch = Batch(f"batch_{len(self.made) + 1}", told["input_file_id"], told.get("metadata") or {}, fault)
            batch.damage = fault.times_damaged if fault.damaged else 0
            self.made[batch.id] = batch
            return self.told(batch)

    def look(self, batch_id: str) -> dict[str, Any] | None:
        """The state of a batch, which moves on with each look."""
        with self._lock:
            batch = self.made.get(batch_id)
            if batch is None:
                return None
            batch.looks += 1
            if batch.status in {"validating", "in_progress"}:
                batch.status = "in_progress"
                if batch.looks >= batch.fault.polls and batch.fault.status != "in_progress":
                    self._end(batch)
            return self.told(batch)

    def cancel(self, batch_id: str) -> dict[str, Any]:
        """End a batch before its time."""
        with self._lock:
            batch = self.made[batch_id]
            batch.status = "cancelled"
            return self.told(batch)

    def content(self, file_id: str) -> bytes | None:
        """The bytes of a file."""
        with self._lock:
            content = self.files.get(file_id)
            batch = next((batch for batch in self.made.values() if batch.output == file_id), None)
            if content is not None and batch and batch.damage:
                batch.damage -= 1
                return content[20:]
            return content

    def _end(self, batch: Batch) -> None:
        batch.status = batch.fault.status
        if batch.status == "failed":
            return
        output, errors = list[bytes](), list[bytes]()
        for number, line in enumerate(self.files[batch.input_file_id].splitlines()):
            told = orjson.loads(line)
            for result, done in self._results(number, told, batch.fault):
                (output if done else errors).append(orjson.dumps(result))
        if batch.fault.unknown:
            output.append(orjson.dumps(_result("00000000000000000000000000000000-1", 200, {})))
        batch.output, batch.errors = self._kept(output), self._kept(errors)

    def _results(self, number: int, told: dict[str, Any], fault: BatchFault) -> Iterator[tuple[dict[str, Any], bool]]:
        custom_id = told["custom_id"]
        if not fault.finishes(number):
            if fault.status == "expired":
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                yield {"id": "r", "custom_id": custom_id, "response": None, "error": error}, False
            return
        status, body = self.answer(custom_id, told["body"])
        yield _result(custom_id, status, body), status == 200
        if fault.twice(number):
            yield _result(custom_id, status, _opposite(body) if fault.opposite else body), status == 200

    def _kept(self, lines: list[bytes]) -> str | None:
        """A file of results, which come in no order."""
        if not lines:
            return None
        lines.sort(key=lambda line: sha256(line).digest())
        return str(self._file(b"\n".join(lines) + b"\n", f"file-out-{len(self.files) + 1}")["id"])

    def _file(self, content: bytes, file_id: str) -> dict[str, Any]:
        self.files[file_id] = content
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(content),
            "created_at": 1_750_000_000,
            "filename": "batch.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def told(self, batch: Batch) -> dict[str, Any]:
        """A batch as the API tells it."""
        ended = batch.status not in {"validating", "in_progress"}
        total = self.files[batch.input_file_id].count(b"\n")
        error = {"code": batch.fault.code, "message": "The batch cannot be run.", "param": None, "line": None}
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "input_file_id": batch.input_file_id,
            "completion_window": "24h",
            "status": batch.status,
            "metadata": dict(batch.metadata),
            "created_at": 1_750_000_000,
            "completed_at": 1_750_003_600 if ended else None,
            "request_counts": {"total": total, "completed": total if ended else 0, "failed": 0},
            "output_file_id": batch.output,
            "error_file_id": batch.errors,
            "errors": {"object": "list", "data": [error]} if batch.status == "failed" else None,
        }


def _result(custom_id: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    response = {"status_code": status, "request_id": f"req-{custom_id[:8]}", "body": body}
    return {"id": f"batch_req_{custom_id[:8]}", "custom_id": custom_id, "response": response, "error": None}


def _opposite(body: dict[str, Any]) -> dict[str, Any]:
    choice = body["choices"][0]
    said = {"0": "1", "1": "0"}.get(choice["message"]["content"], "0")
    return {**body, "choices": [{**choice, "message": {**choice["message"], "content": said}}]}
