"""Annotated records (source 000) brought into the label store: yesterday's verdicts are labels of a named judge.

Belongs here: reading files of them in bounded memory, what is new in them, and the report of lines that are none.
Does not belong here: what a record is (records), giving them back (exporting).
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

import polars as pl

from sft_pipeline.clients.disk import refusing
from sft_pipeline.clients.labels.records import NO_REQUEST, Annotated, read_annotated, records_table
from sft_pipeline.clients.labels.segments import new_segment_name
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.judging import Ask, Identity
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.rules import BLANK

LONGEST_LINE = 64 << 20
"""Bytes; a longer line is passed over unread."""

PIECE = 16 << 20
"""Bytes of lines that are held at a time."""

TOO_LONG = "line_too_long"
RUN = "import"
_NEVER_KEPT = frozenset({"userName"})
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Imported(NamedTuple):
    """What came of a file; `lines` = `added` + `known` + all of `bad`.

    Args:
        lines: that are not blank.
        added: records that were new.
        known: records that the store had, or that the file holds twice.
        bad: lines that are no record, by reason.
        requests: distinct ones of this judge, after the import.
        conflicts: those of them that have both verdicts: they count as unlabelled.
    """

    lines: int
    added: int
    known: int
    bad: dict[str, int]
    requests: int
    conflicts: int


def imported_identity(judge_name: str) -> Identity:
    """The identity of a judge whose verdicts were brought in.

    Raises:
        Refused: the name is blank.
    """
    if not judge_name.strip():
        raise Refused("a judge without a name", remedy="name who gave the verdicts, e.g. gpt-4o-2024-11")
    return Identity("imported", judge_name.strip(), "as_annotated", "{}")


def import_labels(
    path: Path,
    store: LabelStore,
    judge_name: str,
    *,
    report: Path,
    with_responses: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Imported:
    """Bring a file of annotated records, JSON lines, into the store; what it knows already is not added again.

    Args:
        path: the file.
        store: where to.
        judge_name: who gave the verdicts.
        report: a .csv that gets number and reason of each line that is no record; not made where there is none.
        with_responses: keep what the model answered, too; user names are never kept.
        progress: told bytes done and bytes in all.

    Raises:
        Refused: the file cannot be read, or the store or the report cannot be written.
    """
    identity = imported_identity(judge_name)
    work = _Import(store, identity, _NEVER_KEPT if with_responses else _NEVER_KEPT | {"response"})
    with refusing(path), path.open("rb") as file, _bad_lines(report) as bad:
        total = path.stat().st_size
        for piece in _pieces(file):
            work.take(piece, bad)
            progress(file.tell(), total)
    return work.imported()


@dataclass
class _Import:
    """An import under way."""

    store: LabelStore
    identity: Identity
    left_out: frozenset[str]
    lines: int = 0
    added: int = 0
    known: int = 0
    bad: Counter[str] = field(default_factory=Counter[str])
    _records: set[str] = field(default_factory=set[str])
    _labelled: tuple[set[str], set[str]] = field(default_factory=lambda: (set[str](), set[str]()))

    def __post_init__(self) -> None:
        """Learn what the store has."""
        key = self.identity.key
        for _, rows in self.store.records.read(key, self.store.records.names(key), ["recordId"]):
            self._records.update(rows["recordId"])
        for ask_key, label in self.store.asks(self.identity).select("key", "label").collect().iter_rows():
            self._labelled[label].add(ask_key)

    def take(self, piece: "list[tuple[int, Annotated | str]]", tell: Callable[[int, str], None]) -> None:
        """Add what is new in some lines."""
        new: list[Annotated] = []
        for number, found in _without_blank_requests(piece):
            self.lines += 1
            if isinstance(found, str):
                self.bad[found] += 1
                tell(number, found)
            elif found.record_id in self._records:
                self.known += 1
            else:
                self._records.add(found.record_id)
                new.append(found)
        if new:
            self._add(records_table(new, self.identity, self.left_out))

    def _add(self, rows: pl.DataFrame) -> None:
        """Verdicts go first: an import that was killed in between adds the rest when it is made again."""
        asks: list[Ask] = []
        for key, label in rows.select("key", "label").iter_rows():
            if key not in self._labelled[label]:
                self._labelled[label].add(key)
                asks.append(_ask(key, label))
        with self.store.writing(self.identity, RUN) as writer:
            writer.keep_all(asks)
        self.store.records.write(self.identity, new_segment_name(), rows, RUN)
        self.added += rows.height

    def imported(self) -> Imported:
        """What came of it all."""
        zeros, ones = self._labelled
        return Imported(self.lines, self.added, self.known, dict(self.bad), len(zeros | ones), len(zeros & ones))


def _ask(key: str, label: int) -> Ask:
    return Ask(key, 1, label, None, None, None, 0, 0, 0.0, "import", datetime.now(UTC), RUN)


def _pieces(file: BinaryIO) -> "Generator[list[tuple[int, Annotated | str]]]":
    """Numbered lines as records or as reasons why they are none, a few megabytes at a time."""
    piece: list[tuple[int, Annotated | str]] = []
    size = 0
    for number, line in _lines(file):
        piece.append((number, TOO_LONG if line is None else read_annotated(line)))
        size += len(line or b"")
        if size >= PIECE:
            yield piece
            piece, size = [], 0
    yield piece


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines that are not blank, with their numbers; None for one that is too long."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n") and _skip_line(file):
            yield number, None
        elif line.strip():
            yield number, line


def _skip_line(file: BinaryIO) -> bool:
    """Pass over the rest of a line; whether there was any."""
    skipped = False
    while rest := file.readline(PIECE):
        skipped = True
        if rest.endswith(b"\n"):
            break
    return skipped


def _without_blank_requests(piece: "list[tuple[int, Annotated | str]]") -> "list[tuple[int, Annotated | str]]":
    requests = ["?" if isinstance(found, str) else found.record["request"] for _, found in piece]
    blank = pl.Series(requests, dtype=pl.String()).str.contains(BLANK)
    return [(number, NO_REQUEST if is_blank else found) for (number, found), is_blank in zip(piece, blank, strict=True)]


@contextmanager
def _bad_lines(path: Path) -> Generator[Callable[[int, str], None]]:
    """Tells number and reason of a line to a file that comes into being with the first of them."""
    file: TextIO | None = None

    def tell(number: int, reason: str) -> None:
        nonlocal file
        if file is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("w", encoding="utf-8", newline="\n")
            file.write("line,reason\n")
        file.write(f"{number},{reason}\n")

    try:
        yield tell
    finally:
        if file:
            file.close()
