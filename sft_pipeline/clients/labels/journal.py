"""Asks on their way into the store: a file of lines per writer on the local disk, so that kill -9 loses none received.

Belongs here: writing lines, reading those of others while they write, and finding files whose writer is dead.
Does not belong here: where asks stay (segments), what becomes of an abandoned file (store).
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson
import polars as pl
from filelock import FileLock, Timeout

from sft_pipeline.clients.disk import refusing
from sft_pipeline.clients.labels.asks import ask_line, read_ask_lines
from sft_pipeline.curation.judging import Ask, Identity
from sft_pipeline.curation.refusal import Refused

ENDING = ".jsonl"


class Written(NamedTuple):
    """What a journal holds.

    Args:
        identity: whose asks they are; None of a journal whose first line was never finished.
        run: that wrote it.
        asks: one row each.
    """

    identity: Identity | None
    run: str
    asks: pl.DataFrame


class Journal:
    """A journal that is being written, by this process alone: a lock beside it says so until the process ends.

    Every ask is with the operating system when `append` returns; the disk has it when that sees fit.
    """

    def __init__(self, path: Path, identity: Identity, run: str) -> None:
        self.path = path
        self.asks = 0
        self._size = 0
        with refusing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path)
            self._lock.acquire(timeout=0)  # before the file is there: one without a lock is abandoned
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._write(orjson.dumps({**identity._asdict(), "run": run}, option=orjson.OPT_APPEND_NEWLINE))

    def append(self, ask: Ask) -> None:
        """Write an ask.

        Raises:
            Refused: the disk does not take it; those before stay.
        """
        self._write(ask_line(ask))
        self.asks += 1

    def close(self) -> None:
        """End writing; the file stays this process's until `release`."""
        os.close(self._file)

    def release(self) -> None:
        """Leave the file, if it is still there, to whoever finds it."""
        self._lock.release()
        if not self.path.exists():
            _lock_path(self.path).unlink(missing_ok=True)

    def _write(self, line: bytes) -> None:
        with refusing(self.path):
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                os.ftruncate(self._file, self._size)  # half a line would spoil the next one
                raise
        self._size += len(line)


def read_journal(path: Path) -> Written:
    """All that a journal holds; a last line without end is one that nobody was told of as kept.

    Raises:
        Refused: the file is damaged.
    """
    with refusing(path):
        head, _, lines = _whole_lines(path.read_bytes()).partition(b"\n")
    identity, run = _read_head(head, path)
    return Written(identity, run, _read(lines, path))


def writer_of(path: Path) -> Identity | None:
    """Whose asks a journal holds; None of one whose first line is not finished, or that has become a segment.

    Raises:
        Refused: the file is damaged.
    """
    try:
        with path.open("rb") as file:
            return _read_head(_whole_lines(file.readline()), path)[0]
    except FileNotFoundError:
        return None


def read_on(path: Path, offset: int) -> tuple[pl.DataFrame, int]:
    """The asks that a journal got since an earlier look at it, and where to look from the next time.

    Raises:
        FileNotFoundError: its asks have become a segment meanwhile.
        Refused: the file is damaged.
    """
    with path.open("rb") as file:
        if not offset:
            head = file.readline()
            offset = len(head) if head.endswith(b"\n") else 0
        file.seek(offset)
        lines = _whole_lines(file.read()) if offset else b""
    return _read(lines, path), offset + len(lines)


def journals_in(folder: Path, identity_key: str = "*") -> list[Path]:
    """The journals of a judge, or of all, oldest first."""
    return sorted(folder.glob(f"{identity_key}/*{ENDING}"), key=lambda path: path.name)


@contextmanager
def abandoned(path: Path) -> Generator[bool]:
    """Whether a journal is there and its writer dead; while the block runs it is this process's."""
    lock = _lock(path)
    with refusing(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
    try:
        yield path.exists()
    finally:
        lock.release()
        if not path.exists():
            _lock_path(path).unlink(missing_ok=True)


def _whole_lines(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


def _read_head(head: bytes, path: Path) -> tuple[Identity | None, str]:
    if not head:
        return None, ""
    try:
        told = orjson.loads(head)
        return Identity(*[str(told[field]) for field in Identity._fields]), str(told["run"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _read(lines: bytes, path: Path) -> pl.DataFrame:
    try:
        return read_ask_lines(lines)
    except pl.exceptions.PolarsError as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> Refused:
    return Refused(
        f"{path} is damaged",
        remedy="restore it from a copy, or move it away: what it holds is then asked for, and paid for, again",
    )


def _lock(path: Path) -> FileLock:
    return FileLock(_lock_path(path), thread_local=False)


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")
