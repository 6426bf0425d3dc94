"""Reading a published release by its metadata.json: who stands on which line of which file, in bounded memory.

Belongs here: opening a release, and its files' lines as ids and digests, read in blocks beside each other.
Does not belong here: proving what metadata.json claims (verification), what the ids are compared with.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import polars as pl

from sft_pipeline.clients.blocks import WORKERS, Progress, whole_lines
from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.release_store import Measuring, ReleaseStore
from sft_pipeline.clients.verification import released_paths
from sft_pipeline.curation.claimed import Claimed, File, MalformedMetadataError, OutputFile, read_claimed
from sft_pipeline.curation.comparison import PLACED
from sft_pipeline.curation.identities import NoRecordError, identities
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.sft_claimed import is_sft

Read = TypeVar("Read")


@dataclass(frozen=True)
class Release:
    """A published release.

    Args:
        store: its folder.
        claimed: its metadata.json.
        paths: every file in it.
    """

    store: ReleaseStore
    claimed: Claimed
    paths: frozenset[str]

    @property
    def name(self) -> str:
        """The name that it was published under."""
        return self.claimed.curation_info.curation_id

    @property
    def cells(self) -> tuple[str, ...]:
        """The keys of its cells, in the order of its plan."""
        return tuple(cell_key(file) for file in self.claimed.output_files.values())

    @property
    def records(self) -> int:
        """How many records it claims to hold."""
        return sum(file.records for file in self.claimed.output_files.values())

    @property
    def verify(self) -> str:
        """What a user can do when something is odd about its files."""
        return f"`sft-pipeline verify {self.store.url.removeprefix('file://')}` tells all that is odd about it"

    def pieces(self, file: File) -> Iterator[bytes]:
        """The bytes of one of its files.

        Raises:
            Refused: the file is missing, or cannot be read.
        """
        if file.path not in self.paths:
            raise Refused(f"{self.store.url} lacks {file.path}, which its metadata.json claims", remedy=self.verify)
        return self.store.read(file.path)


@dataclass(frozen=True)
class Placed:
    """The conversations of a release.

    Args:
        rows: `PLACED` rows.
        altered: the files whose bytes are not those that metadata.json claims.
    """

    rows: pl.DataFrame
    altered: tuple[str, ...]


def open_release(store: ReleaseStore) -> Release:
    """Read the metadata.json of a release of samples.

    Raises:
        Refused: there is none, it is that of an SFT release, or not of the form that this version writes.
    """
    paths = released_paths(store)
    content = b"".join(store.read(METADATA))
    if is_sft(content):
        raise Refused(
            f"{store.url} is an SFT release: it holds labelled requests and no conversations",
            remedy="name the release of samples of the same window; `sft-pipeline verify` proves an SFT release, and "
            "the label tables beside its SFT files name the request of every line",
        )
    try:
        claimed = read_claimed(content)
    except MalformedMetadataError as error:
        raise Refused(
            f"{store.url}/{METADATA} cannot be read as a release's: {error}",
            remedy="compare it with that of another release; another version of sft-pipeline may have written it",
        ) from None
    return Release(store, claimed, frozenset(paths))


def cell_key(file: OutputFile) -> str:
    """The key of a file's cell."""
    return f"{file.split}-{file.bucket}"


def read_placed(release: Release, progress: Progress) -> Placed:
    """Read all data files of a release, one after the other.

    Raises:
        Refused: a file is missing, holds a line that is no record, or a conversation stands in the release twice.
    """
    frames, altered, done = [pl.DataFrame(schema=PLACED)], list[str](), 0
    for file in release.claimed.output_files.values():
        measuring = Measuring(release.pieces(file))
        for _, rows in line_blocks(release, file, measuring, identities):
            frames.append(rows.select("conversationId", pl.lit(cell_key(file)).alias("cell"), "digest"))
            done += rows.height
            progress(done, release.records)
        if measuring.stored(file.path, "").sha256 != file.sha256:
            altered.append(file.path)
    rows = pl.concat(frames, rechunk=True)
    _require_once(release, rows)
    return Placed(rows, tuple(altered))


def line_blocks(
    release: Release, file: File, pieces: Iterable[bytes], read: Callable[[bytes], Read]
) -> Iterator[tuple[int, Read]]:
    """What other threads read from the blocks of a data file, in order, each with the number of lines before it.

    Raises:
        Refused: a line is no record; it is named by its number.
    """
    work = partial(_read_block, release, file, read)
    return in_order(work, _counted(whole_lines(pieces)), at_a_time=WORKERS)


def _counted(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each block with the number of lines before it."""
    lines = 0
    for block in blocks:
        yield lines, block
        lines += block.count(b"\n")


def _read_block(
    release: Release, file: File, read: Callable[[bytes], Read], counted: tuple[int, bytes]
) -> tuple[int, Read]:
    before, block = counted
    try:
        return before, read(block)
    except NoRecordError as error:
        what = f"{release.store.url}/{file.path}: line {before + error.number:,} is no record"
        raise Refused(what, remedy=release.verify) from None


def _require_once(release: Release, rows: pl.DataFrame) -> None:
    twice = rows.filter(pl.col("conversationId").is_duplicated())["conversationId"]
    if twice.len():
        raise Refused(f"{release.store.url} holds {twice[0]} more than once", remedy=release.verify)
