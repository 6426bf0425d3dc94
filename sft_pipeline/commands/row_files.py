"""Rows written to a file that a user names: whole, or not at all.

Belongs here: the kinds of file and how one comes into being. Does not belong here: what the rows are.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import polars as pl

from sft_pipeline.curation.refusal import Refused


class Writer(Protocol):
    """Writes rows to a path."""

    def __call__(self, rows: pl.DataFrame, path: Path, /) -> object:
        """Write them."""
        ...


WRITERS: Mapping[str, Writer] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
    ".json": pl.DataFrame.write_ndjson,
}
"""By the ending of the file; .json is a row a line."""


@contextmanager
def row_file(path: Path) -> Generator[Path]:
    """Another name to write under while the block runs: after it, a file of the asked name holds all rows.

    A folder that cannot be written to is told at once, before what is to be written takes its time.

    Raises:
        Refused: the ending is not one of `WRITERS`, or the folder cannot be written to.
    """
    if path.suffix not in WRITERS:
        raise Refused(
            f"cannot write {path.suffix or 'a file without ending'}", remedy="name a .parquet, .csv or .json file"
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.touch()
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error}", remedy="name a file in a folder that you can write") from error
    finally:
        unfinished.unlink(missing_ok=True)
