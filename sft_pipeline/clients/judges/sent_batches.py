"""What this machine remembers of batches that were sent and not yet collected, so that none is sent twice.

Belongs here: files of the folder, and who is at a batch. Does not belong here: the service (batch_service).
"""

from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import orjson
from filelock import FileLock, Timeout

from sft_pipeline.clients.disk import finish, refusing, unfinished_file
from sft_pipeline.curation.refusal import Refused


@dataclass(frozen=True)
class SentBatch:
    """A batch that was sent, or is about to be.

    Args:
        name: ours for it; the service knows it by its metadata.
        run: the id of the run that sent it.
        file: the id of its input file at the service.
        batch: its id at the service; empty until the service has told it.
    """

    name: str
    run: str
    file: str
    batch: str = ""


class SentBatches:
    """The batches of one judge at one address.

    Args:
        folder: made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def note(self, run: str, file: str, ids: Collection[str]) -> SentBatch:
        """Remember a batch before the service is told to run it."""
        sent = SentBatch(uuid4().hex, run, file)
        self._write(self._ids(sent.name), "\n".join(ids).encode())
        self._write(self._note(sent.name), orjson.dumps(sent))
        return sent

    def know(self, sent: SentBatch, batch: str) -> SentBatch:
        """Remember the id that the service gave it."""
        known = replace(sent, batch=batch)
        path = self._note(sent.name)
        new = path.with_suffix(".new")
        with refusing(path):
            new.write_bytes(orjson.dumps(known))
            new.replace(path)
        return known

    def ids(self, sent: SentBatch) -> frozenset[str]:
        """The custom_ids that a batch asks."""
        path = self._ids(sent.name)
        with refusing(path), suppress(FileNotFoundError):  # somebody else has just collected it
            return frozenset(path.read_text(encoding="ascii").split())
        return frozenset()

    def open_ones(self) -> list[SentBatch]:
        """All that were not collected, in the order of their names."""
        found = [self._read(path) for path in sorted(self.folder.glob("*.json"))]
        return [sent for sent in found if sent]

    def forget(self, sent: SentBatch) -> None:
        """All its answers are kept."""
        for path in (self._note(sent.name), self._ids(sent.name), self._lock(sent.name)):
            with refusing(path):
                path.unlink(missing_ok=True)

    @contextmanager
    def alone(self, sent: SentBatch) -> Generator[bool]:
        """Whether nobody else is at a batch, or has collected it; nobody else gets at it while the block lasts."""
        lock = FileLock(self._lock(sent.name))
        if not self._acquired(lock):
            yield False
            return
        try:
            yield self._note(sent.name).exists()
        finally:
            lock.release()

    def _acquired(self, lock: FileLock) -> bool:
        with refusing(Path(lock.lock_file)):
            try:
                lock.acquire(timeout=0)
            except Timeout:  # an OSError, too
                return False
        return True

    def _read(self, path: Path) -> SentBatch | None:
        try:
            with refusing(path), suppress(FileNotFoundError):
                return SentBatch(**orjson.loads(path.read_bytes()))
        except (orjson.JSONDecodeError, TypeError):
            raise Refused(
                f"{path} does not say which batch was sent",
                remedy="look at the service's list of batches, then move that file away: its questions are sent again",
            ) from None
        return None

    def _write(self, path: Path, content: bytes) -> None:
        with refusing(path), unfinished_file(self.folder) as (unfinished, handle):
            handle.write(content)
            finish(handle)
            with suppress(FileExistsError):
                path.hardlink_to(unfinished)

    def _note(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _ids(self, name: str) -> Path:
        return self.folder / f"{name}.ids"

    def _lock(self, name: str) -> Path:
        return self.folder / f"{name}.lock"
