"""The staged store: raw events once more, in files by hash chunk and event name, so that a query reads only its part.

Belongs here: how the store is laid out, found again and kept up to date. It holds the raw table, whole and unchanged.
Does not belong here: writing its files (partitioning), what a query asks of it (clients.kusto.embedded).
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from uuid import uuid4

import orjson
from filelock import FileLock

from sft_pipeline.telemetry.partitioning import Settings, partition
from sft_pipeline.telemetry.raw_files import content_fingerprint, raw_paths

Progress = Callable[[int, int], None]
"""Called with the events staged so far and those there are."""

LAYOUT = 1
"""Part of a staging's name: a store of another layout is staged anew."""

_MANIFEST = "manifest.json"
_STAGING = re.compile(r"[0-9a-f]{20}-\d+-\d+|\.partial-[0-9a-f]{32}")
"""Names of what a store may hold from before."""


@dataclass(frozen=True)
class Staging:
    """A complete staging.

    Args:
        folder: where its files lie, as `<batch>/chunk=<c>/event=<e>/*.parquet`.
        chunks: into how many hash chunks it is cut.
        names: the event names with folders of their own; `event=<position>`, and `event=-1` holds the rest.
        columns: the columns of the table that its files have; the others are null.
    """

    folder: Path
    chunks: int
    names: tuple[str, ...]
    columns: tuple[str, ...]

    def files(self, event: int, chunk: int = 0, count: int = 1) -> list[Path]:
        """The files that hold chunk `chunk` of `count` of an event, and as little else as the layout allows."""
        parts = self.parts(chunk, count)
        batches = sorted(path for path in self.folder.iterdir() if path.is_dir())
        folders = (batch / f"chunk={part}" / f"event={event}" for batch in batches for part in parts)
        return [file for folder in folders for file in sorted(folder.glob("*.parquet"))]

    def parts(self, chunk: int, count: int) -> list[int]:
        """The staged chunks that a chunk of this many lies in.

        A hash that is `chunk` modulo `count` is also `chunk` modulo each divisor of `count`.
        """
        divisor = gcd(self.chunks, count)
        return [part for part in range(self.chunks) if part % divisor == chunk % divisor]


class StagedStore:
    """Keeps the staging of one telemetry folder, and makes it when it is missing or out of date.

    Args:
        telemetry: the folder of raw events.
        store: the folder to keep the staging in, for this telemetry folder alone: other stagings are removed from it.
        chunks: into how many hash chunks to cut.
        settings: DuckDB settings for the staging.
        progress: is told how far the staging is.
    """

    def __init__(
        self, telemetry: Path, store: Path, *, chunks: int, settings: Settings, progress: Progress | None = None
    ) -> None:
        self._telemetry = telemetry
        self._store = store
        self._chunks = chunks
        self._settings = settings
        self._progress = progress

    def fingerprint(self) -> str:
        """The content fingerprint of the telemetry folder."""
        return content_fingerprint(raw_paths(self._telemetry), self._store / "fingerprints.json")

    def staging(self, progress: Progress | None = None) -> Staging:
        """The staging of what the telemetry folder holds now; processes that ask together stage once.

        Args:
            progress: is told how far it is, instead of the one of the store.

        Raises:
            Refused: the folder is missing or empty, or a file in it cannot be read.
        """
        folder = self._store / f"{self.fingerprint()[:20]}-{self._chunks}-{LAYOUT}"
        if not folder.is_dir():
            self._store.mkdir(parents=True, exist_ok=True)
            with FileLock(self._store / "staging.lock"):
                if not folder.is_dir():
                    self._stage(folder, progress or self._progress)
        manifest = orjson.loads((folder / _MANIFEST).read_bytes())
        return Staging(folder, self._chunks, tuple(manifest["names"]), tuple(manifest["columns"]))

    def _stage(self, folder: Path, progress: Progress | None) -> None:
        """Write a staging under a name that does not count, then give it its name."""
        for left in self._store.iterdir():
            if _STAGING.fullmatch(left.name):
                shutil.rmtree(left)
        partial = self._store / f".partial-{uuid4().hex}"
        partial.mkdir()
        paths, report = raw_paths(self._telemetry), progress or _unwatched
        names, columns = partition(paths, partial, chunks=self._chunks, settings=self._settings, report=report)
        shutil.rmtree(partial / "spill", ignore_errors=True)
        (partial / _MANIFEST).write_bytes(orjson.dumps({"names": names, "columns": columns}))
        partial.replace(folder)


def _unwatched(_done: int, _total: int) -> None:
    """Nobody looks."""
