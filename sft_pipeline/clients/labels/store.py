"""The label store: looking up what a judge was asked, and keeping what it answers.

Belongs here: which files a judge's asks are read from, writers, and journals that dead processes left.
Does not belong here: the files themselves (journal, segments), imported annotations (importing).
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import polars as pl

from sft_pipeline.clients.blob.tables import BlobTables
from sft_pipeline.clients.labels.asks import ASK_COLUMNS, asks_by_key, asks_table, decided
from sft_pipeline.clients.labels.journal import (
    ENDING,
    Journal,
    abandoned,
    journals_in,
    read_journal,
    read_on,
    writer_of,
)
from sft_pipeline.clients.labels.ledger import ledger_table
from sft_pipeline.clients.labels.records import votes_among
from sft_pipeline.clients.labels.segments import Segments, new_segment_name
from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.judging import Ask, Identity

__all__ = ["LabelStore", "LabelWriter", "decided"]

JOURNAL_ASKS = 25_000
"""A journal that holds so many becomes a segment, and a new one is begun."""


@dataclass
class _Known:
    """The asks of a judge that were read so far, by segment; a journal stands for the segment that it will be."""

    rows: dict[str, pl.DataFrame] = field(default_factory=dict[str, pl.DataFrame])
    segments: set[str] = field(default_factory=set[str])
    offsets: dict[str, int] = field(default_factory=dict[str, int])

    def all(self) -> pl.DataFrame:
        empty = pl.DataFrame(schema=ASK_COLUMNS)
        return pl.concat([empty, *self.rows.values()], rechunk=False)


class LabelStore:
    """All asks under a base folder or URI, and this machine's journals.

    Args:
        base: a folder, or `az://container/prefix`.
        journals: a local folder.
        blob: how the container is entered; None for a folder.
    """

    def __init__(self, base: str, journals: Path, blob: BlobTables | None = None) -> None:
        tables = TableStore(base, blob)
        self.segments = Segments(tables, "asks")
        self.records = Segments(tables, "records")
        self._journals = journals / content_version([base])[:8]
        self._known: dict[str, _Known] = {}
        self._reading = Lock()
        self._adopted = False

    def lookup(self, identity: Identity, keys: Sequence[str]) -> dict[str, list[Ask]]:
        """The asks of those keys that have any, one per attempt, the last of them decides if any does (`decided`).

        Raises:
            Refused: the store cannot be read.
        """
        self._adopt()
        wanted = pl.DataFrame({"key": keys}, schema={"key": pl.String()})
        return asks_by_key(self._read(identity.key).join(wanted, on="key", how="semi"))

    def asks(self, identity: Identity) -> pl.LazyFrame:
        """All asks of a judge, as they were answered.

        Raises:
            Refused: the store cannot be read.
        """
        return self._read(identity.key).lazy().unique()

    def holds(self, identity: Identity) -> bool:
        """Whether anything is stored of a judge; what is still in journals does not count.

        Raises:
            Refused: the store cannot be listed.
        """
        return bool(self.segments.names(identity.key))

    @contextmanager
    def writing(self, identity: Identity, run: str) -> Generator["LabelWriter"]:
        """A writer of a judge's asks; when the block ends, what it kept is in a segment.

        Raises:
            Refused: what was kept cannot be put into a segment: it stays in the journal, and the next writer does it.
        """
        self._adopt()
        writer = LabelWriter(self, identity, run)
        try:
            yield writer
        finally:
            writer.close()

    def ledger(self) -> pl.DataFrame:
        """A row per judge: asks, labelled, unlabelled, promptTokens, completionTokens, cost, first, last.

        Raises:
            Refused: the store cannot be read.
        """
        judges = self._judges()
        return ledger_table((identity, self.asks(identity).collect()) for identity in judges)

    def spent(self, run: str) -> float:
        """What the asks of a run cost, of all judges, in whatever currency that was.

        Raises:
            Refused: the store cannot be read.
        """
        costs = [self.asks(identity).filter(run=run).select(pl.col("cost").sum()) for identity in self._judges()]
        return float(sum(pl.concat(costs).collect()["cost"])) if costs else 0.0

    def votes(self, identity: Identity, keys: Sequence[str]) -> list[tuple[int, int]]:
        """The label and the thumb (1 up, 0 down) of each imported record of those keys that has a thumb.

        Raises:
            Refused: the store cannot be read.
        """
        return votes_among(self.records, identity, keys)

    def _judges(self) -> list[Identity]:
        """All that were ever asked; journals first, as in `_read`."""
        writing = {writer_of(path) for path in journals_in(self._journals)}
        stored = {self.segments.identity(key, names[-1]) for key, names in self.segments.by_judge().items()}
        return sorted(stored | {identity for identity in writing if identity})

    def journal(self, identity: Identity, run: str) -> Journal:
        """A new journal of this process."""
        return Journal(self._journals / identity.key / f"{new_segment_name()}{ENDING}", identity, run)

    def settle(self, path: Path) -> None:
        """Turn a journal that is this process's into a segment of the same name; done twice, it is the same segment.

        Raises:
            Refused: the segment cannot be written; the journal stays.
        """
        written = read_journal(path)
        if written.identity and written.asks.height:
            self.segments.write(written.identity, path.stem, written.asks, written.run)
        path.unlink()

    def _adopt(self) -> None:
        """Settle the journals of dead processes, once."""
        if self._adopted:
            return
        for path in journals_in(self._journals):
            with abandoned(path) as is_abandoned:
                if is_abandoned:
                    self.settle(path)
        self._adopted = True

    def _read(self, identity_key: str) -> pl.DataFrame:
        """All asks of a judge; journals first, for a journal may become a segment meanwhile, never the reverse."""
        with self._reading:
            known = self._known.setdefault(identity_key, _Known())
            for path in journals_in(self._journals, identity_key):
                _read_journal_on(known, path)
            new = [name for name in self.segments.names(identity_key) if name not in known.segments]
            for name, rows in self.segments.read(identity_key, new, ASK_COLUMNS):
                known.rows[name] = rows
                known.segments.add(name)
            return known.all()


class LabelWriter:
    """Keeps asks of one judge, for one run."""

    def __init__(self, store: LabelStore, identity: Identity, run: str) -> None:
        self._store = store
        self._identity = identity
        self._run = run
        self._journal: Journal | None = None
        self._writing = Lock()

    def keep(self, ask: Ask) -> None:
        """Keep an ask, from any thread: when this returns, kill -9 does not lose it.

        Raises:
            Refused: the disk does not take it, or the place does not take what is due to become a segment.
        """
        with self._writing:
            if not self._journal:
                self._journal = self._store.journal(self._identity, self._run)
            self._journal.append(ask)
            if self._journal.asks >= JOURNAL_ASKS:
                self._settle()

    def keep_all(self, asks: Iterable[Ask]) -> None:
        """Keep many that are there at once, all or none, in a segment of their own.

        Raises:
            Refused: the place cannot be written or is full.
        """
        rows = asks_table(asks)
        if rows.height:
            self._store.segments.write(self._identity, new_segment_name(), rows, self._run)

    def close(self) -> None:
        """Turn what was kept into a segment."""
        with self._writing:
            self._settle()

    def _settle(self) -> None:
        journal, self._journal = self._journal, None
        if not journal:
            return
        journal.close()
        try:
            self._store.settle(journal.path)
        finally:
            journal.release()


def _read_journal_on(known: _Known, path: Path) -> None:
    name = path.stem
    if name in known.segments:
        return
    try:
        new, known.offsets[name] = read_on(path, known.offsets.get(name, 0))
    except FileNotFoundError:
        return
    if new.height:
        known.rows[name] = pl.concat([known.rows[name], new], rechunk=False) if name in known.rows else new
