"""Where intermediate tables lie: Parquet files in a local folder or in `az://` storage, one per asset partition.

Belongs here: paths, writing so that a killed process leaves no half file, reading, and the notes a file carries.
Does not belong here: what the tables mean; Dagster (orchestration.io_managers wraps this).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.refusal import Refused

ROW_GROUP_ROWS = 512
"""Small row groups (about 5 MB of conversations) let a sample skip most of a chunk."""


class TableKey(NamedTuple):
    """Which table: the asset, the window and, where it has one, the other partition dimension."""

    asset: str
    window: str
    part: str = ""

    @property
    def path(self) -> str:
        """Relative path of the file."""
        return f"{self.asset}/{self.window}/{self.part or self.asset.rsplit('/', 1)[-1]}.parquet"


@dataclass(frozen=True)
class TableStore:
    """Tables under a base folder or URI.

    Args:
        base: a folder, or `az://container/prefix`.
        options: account, key and endpoint as object stores name them; without any, the user's Azure login is used.
    """

    base: str
    options: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def uri(self, key: TableKey) -> str:
        """Where a table lies."""
        return f"{self.base.rstrip('/')}/{key.path}"

    def write(self, key: TableKey, table: pl.DataFrame, notes: Mapping[str, str]) -> None:
        """Write a table whole or not at all, with notes in the file's own metadata.

        Raises:
            Refused: the folder cannot be written or the disk is full.
        """
        uri = self.uri(key)
        try:
            if self._is_remote:
                self._write_remote(uri, table, notes)
            else:
                _write_file(Path(uri), table, notes)
        except (OSError, pl.exceptions.ComputeError) as error:  # Polars reports a full disk as a ComputeError
            raise Refused(
                f"cannot write {uri}: {error}",
                remedy="mend space or permissions under SFT_HOME or SFT_STORAGE, then run again: nothing is lost",
            ) from error

    def scan(self, keys: Sequence[TableKey]) -> pl.LazyFrame:
        """Several partitions of one table as one lazy frame; column `part` names the partition of each row.

        Raises:
            Refused: partitions are missing; each is named.
        """
        missing = [key for key in keys if not self.holds(key)]
        if missing:
            named = ", ".join(f"{key.part}|{key.window}" if key.part else key.window for key in missing[:5])
            raise Refused(
                f"{len(missing)} of {len(keys)} partitions of {keys[0].asset} are missing or damaged: {named}",
                remedy="materialize them first: `sft-pipeline run`, or a backfill of those partitions in the UI",
            )
        frame = pl.scan_parquet(
            [self.uri(key) for key in keys], include_file_paths="part", glob=False, storage_options=self._options
        )
        return frame.with_columns(pl.col("part").str.extract(r"([^/]+)\.parquet$"))

    def read(self, key: TableKey) -> pl.DataFrame:
        """One whole table.

        Raises:
            Refused: it is missing or damaged.
        """
        try:
            return self.scan([key]).drop("part").collect()
        except pl.exceptions.ComputeError as error:
            raise Refused(f"{self.uri(key)} is damaged", remedy="remove the file and run again") from error

    def notes(self, key: TableKey) -> dict[str, str]:
        """What the file says of itself."""
        metadata = pl.read_parquet_metadata(self.uri(key), storage_options=self._options)
        return {name: str(value) for name, value in metadata.items()}

    def holds(self, key: TableKey) -> bool:
        """Whether the table has been written and its file still ends as Parquet does."""
        try:
            pl.scan_parquet(self.uri(key), storage_options=self._options, glob=False).collect_schema()
        except FileNotFoundError:
            return False
        except pl.exceptions.ComputeError:
            if self._is_remote:
                raise
            return False
        return True

    def keys(self, asset: str) -> list[TableKey]:
        """The stored partitions of an asset, sorted."""
        paths = self._remote_paths(asset) if self._is_remote else [*(Path(self.base) / asset).glob("*/*.parquet")]
        name = asset.rsplit("/", 1)[-1]
        found = [(path.parent.name, path.stem) for path in paths]
        return sorted(TableKey(asset, window, "" if part == name else part) for window, part in found)

    def _remote_paths(self, asset: str) -> list[PurePosixPath]:
        pattern = f"{self.base.rstrip('/')}/{asset}/*/*.parquet"
        files = pl.scan_parquet(pattern, include_file_paths="file", storage_options=self._options)
        try:
            return [PurePosixPath(file) for file in files.select(pl.col("file").unique()).collect()["file"]]
        except pl.exceptions.ComputeError as error:
            if "expanded paths were empty" in str(error):
                return []
            raise

    def _write_remote(self, uri: str, table: pl.DataFrame, notes: Mapping[str, str]) -> None:
        table.write_parquet(
            uri,
            compression_level=1,
            row_group_size=ROW_GROUP_ROWS,
            metadata=dict(notes),
            storage_options=self._options,
        )

    @property
    def _options(self) -> dict[str, str] | None:
        return dict(self.options) or None

    @property
    def _is_remote(self) -> bool:
        return "://" in self.base


def _write_file(path: Path, table: pl.DataFrame, notes: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        table.write_parquet(unfinished, compression_level=1, row_group_size=ROW_GROUP_ROWS, metadata=dict(notes))
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
