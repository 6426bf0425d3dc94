"""The Batch API by the SDK: uploading, creating once, looking, downloading.

Belongs here: calls, each as patient as a judge is. Does not belong here: which batches there are (sent_batches).
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, TypeVar, cast

from openai import OpenAI

from sft_pipeline.clients.judges.calls import body_of, document_of
from sft_pipeline.clients.judges.failures import Lasting, error_words
from sft_pipeline.clients.judges.model import Kind
from sft_pipeline.clients.judges.retries import Retries

NAME = "sft_pipeline_batch"
"""The field of a batch's metadata that says which of ours it is."""

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_WAITING_FILES = frozenset({"pending", "running"})
_MOMENTS = ("completed_at", "expired_at", "cancelled_at", "failed_at", "created_at")

Answer = TypeVar("Answer")


class State(NamedTuple):
    """A batch as the service tells it.

    Args:
        id: its id there.
        status: of the API; `gone` where the service does not know it any more.
        files: those with results.
        moment: when it ended.
        errors: why it failed, in the service's codes.
        told: how far it is, in words.
    """

    id: str
    status: str
    files: tuple[str, ...]
    moment: datetime
    errors: str
    told: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in _ENDED or self.status == "gone"


class Uploaded(NamedTuple):
    """A file at the service, which Azure takes its time to read before a batch may use it."""

    id: str
    is_being_read: bool


class BatchService:
    """The Batch API of one service.

    Args:
        client: of the SDK.
        kind: Azure has its own path for what is applied to each line.
        retries: how patient to be.
    """

    def __init__(self, client: OpenAI, kind: Kind, retries: Retries) -> None:
        self._client = client
        self._retries = retries
        self._over = Event()
        self.url = "/chat/completions" if kind == "azure_openai" else "/v1/chat/completions"

    def upload(self, path: Path) -> Uploaded:
        """Send a file."""
        return _uploaded(self._call(lambda: self._upload(path)))

    def look_at_file(self, file: str) -> Uploaded:
        """How an uploaded file is doing."""
        return _uploaded(self._call(lambda: document_of(lambda: self._client.files.with_raw_response.retrieve(file))))

    def created(self, file: str, name: str) -> State:
        """The batch of this name: made now, unless an attempt before did so and its answer was lost."""
        return _state(self._call(lambda: self._named(name) or self._create(file, name)))

    def named(self, name: str) -> State | None:
        """The batch of this name, if the service has one."""
        found = self._call(lambda: self._named(name))
        return _state(found) if found else None

    def look(self, batch: str) -> State:
        """How a batch is doing."""
        try:
            return _state(self._call(lambda: document_of(lambda: self._batches.retrieve(batch))))
        except Lasting as failure:
            if failure.status != 404:
                raise
            return State(batch, "gone", (), datetime.now(UTC), "")

    def read(self, files: tuple[str, ...], reader: Callable[[Iterator[bytes]], Answer]) -> Answer:
        """What a reader makes of files, which are fetched again where it says that they are damaged."""
        return self._call(lambda: reader(self._download(file) for file in files))

    @property
    def _batches(self) -> Any:  # noqa: ANN401 - the SDK's types know OpenAI's own paths alone
        return self._client.batches.with_raw_response

    def _upload(self, path: Path) -> dict[str, Any]:
        with path.open("rb") as handle:
            return document_of(
                lambda: self._client.files.with_raw_response.create(file=("requests.jsonl", handle), purpose="batch")
            )

    def _create(self, file: str, name: str) -> dict[str, Any]:
        return document_of(
            lambda: self._batches.create(
                completion_window="24h", endpoint=self.url, input_file_id=file, metadata={NAME: name}
            )
        )

    def _named(self, name: str) -> dict[str, Any] | None:
        """Among the newest; ours are looked for soon after they were made."""
        told = document_of(lambda: self._batches.list(limit=100)).get("data")
        batches = cast("list[dict[str, Any]]", told if isinstance(told, list) else [])
        return next((batch for batch in batches if (batch.get("metadata") or {}).get(NAME) == name), None)

    def _download(self, file: str) -> bytes:
        return body_of(lambda: self._client.files.with_raw_response.content(file))

    def _call(self, attempt: Callable[[], Answer]) -> Answer:
        return self._retries.call(attempt, self._over)


def _uploaded(told: dict[str, Any]) -> Uploaded:
    return Uploaded(str(told.get("id")), told.get("status") in _WAITING_FILES)


def _state(told: dict[str, Any]) -> State:
    moment = next((told[name] for name in _MOMENTS if told.get(name)), 0)
    files = tuple(str(told[name]) for name in ("output_file_id", "error_file_id") if told.get(name))
    errors = cast("list[dict[str, Any]]", (told.get("errors") or {}).get("data") or [])
    return State(
        str(told.get("id")),
        str(told.get("status")),
        files,
        datetime.fromtimestamp(moment, UTC),
        "; ".join(sorted({error_words(error) for error in errors})),
        _told(told),
    )


def _told(told: dict[str, Any]) -> str:
    counts: dict[str, Any] = told.get("request_counts") or {}
    answered = f", {counts['completed']:,} of {counts['total']:,} answered" if counts.get("total") else ""
    return f"batch {told.get('id')} {told.get('status')}{answered}"
