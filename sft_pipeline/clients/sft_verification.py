"""Reading a published SFT release from its files alone, in bounded memory.

Belongs here: reading each file once, hashing it on the way, keeping no text of it.
Does not belong here: what must be true of an SFT release (curation.sft_audit).
"""

from collections.abc import Callable
from functools import partial
from io import BytesIO

import polars as pl

from sft_pipeline.clients.blocks import WORKERS, Progress, whole_lines
from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.release_store import Measuring, ReleaseStore, StoredFile, folder_name
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.sft_claimed import SftClaimed
from sft_pipeline.curation.sft_evidence import SftEvidence
from sft_pipeline.curation.sft_sections import slots
from sft_pipeline.curation.sft_survey import LineSurvey, join_line_surveys, odd_columns, odd_nulls, survey_sft_lines

BLOCK_BYTES = 4 * 1024 * 1024
"""SFT lines are read one by one, which takes a multiple of their bytes."""

LARGEST_TABLE_BYTES = 256 * 1024 * 1024
"""A label table of 100,000 rows has some 10 MB: what is larger by far is none."""


def sft_evidence(store: ReleaseStore, claimed: SftClaimed, paths: list[str], progress: Progress) -> SftEvidence:
    """Read all files of the plan that are there; wherever metadata.json points, no others.

    Args:
        store: the release's folder.
        claimed: its metadata.json.
        paths: every file in it.
        progress: told how many lines were read.
    """
    files: dict[str, StoredFile] = {}
    surveys: dict[str, LineSurvey] = {}
    tables: dict[str, pl.DataFrame | str] = {}
    total = sum(file.records for file in claimed.output_files.values() if file.kind == "sft")
    for slot in slots(routers_of(claimed.plan)):
        lines, labels = slot.paths["sft"], slot.paths["labels"]
        if lines in paths:
            before = sum(survey.lines for survey in surveys.values())
            files[lines], surveys[lines] = _surveyed(store, lines, partial(_tell, progress, before, total))
        if labels in paths:
            files[labels], content = _kept(store, labels)
            if lines in surveys:  # else that file is told to be missing, and nothing says how many rows there may be
                tables[labels] = _table(content, surveys[lines].lines)
    return SftEvidence(
        claimed=claimed,
        folder=folder_name(store),
        paths=paths,
        facts={path: {"bytes": file.bytes, "md5": file.md5, "sha256": file.sha256} for path, file in files.items()},
        surveys=surveys,
        tables={path: table for path, table in tables.items() if isinstance(table, pl.DataFrame)},
        odd_tables={path: table for path, table in tables.items() if isinstance(table, str)},
    )


def _surveyed(
    store: ReleaseStore, path: str, tell: Callable[[list[LineSurvey]], None]
) -> tuple[StoredFile, LineSurvey]:
    """Read a file of lines once: its hashes are taken while other threads read what its lines say."""
    done: list[LineSurvey] = []
    measuring = Measuring(store.read(path))
    for survey in in_order(survey_sft_lines, whole_lines(measuring, size=BLOCK_BYTES), at_a_time=WORKERS):
        done.append(survey)
        tell(done)
    return measuring.stored(path, store.url), join_line_surveys(done)


def _kept(store: ReleaseStore, path: str) -> tuple[StoredFile, BytesIO | None]:
    """A file and its bytes; without them where there are too many for a label table."""
    measuring, content = Measuring(store.read(path)), BytesIO()
    for piece in measuring:
        if content.tell() <= LARGEST_TABLE_BYTES:
            content.write(piece)
    content.seek(0)
    stored = measuring.stored(path, store.url)
    return stored, content if stored.bytes <= LARGEST_TABLE_BYTES else None


def _table(content: BytesIO | None, lines: int) -> pl.DataFrame | str:
    """A label table of so many rows, or why a file is none; rows are counted before they are read."""
    if content is None:
        return f"is larger than {LARGEST_TABLE_BYTES:,} bytes"
    try:
        if odd := odd_columns(pl.Schema(pl.read_parquet_schema(content))):
            return odd
        rows = int(pl.scan_parquet(content).select(pl.len()).collect().item())
        if rows != lines:
            return f"has {rows:,} rows beside {lines:,} lines"
        table = pl.read_parquet(content)
        return odd_nulls(table) or table
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return "cannot be read as Parquet"


def _tell(progress: Progress, before: int, total: int, done: list[LineSurvey]) -> None:
    progress(before + sum(survey.lines for survey in done), total)
