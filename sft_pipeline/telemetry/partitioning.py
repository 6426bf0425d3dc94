"""Writes raw events into files by hash chunk and event name, batch by batch.

Belongs here: the rows' place, and how much is written in one go.
Does not belong here: when to write, and what counts as written (staging).
"""

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import KUSTO_SCHEMA
from sft_pipeline.telemetry.raw_files import readable_columns

DUCKDB_TYPES = {
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
}

BATCH_ROWS = 1_500_000
BATCH_BYTES = 768 * 2**20
"""Rows and bytes that are partitioned in one go: more spills to disk and takes thrice as long."""

NAMES_APART = 16
"""Event names with folders of their own, the most frequent ones; the others share one."""

Settings = dict[str, str | bool | int | float | list[str]]
"""DuckDB's."""


@dataclass(frozen=True)
class RawFile:
    """One file of raw events.

    Args:
        path: where it lies.
        columns: those of its columns that the table has.
        rows: how many events it holds.
        bytes: their size once decompressed.
    """

    path: Path
    columns: frozenset[str]
    rows: int
    bytes: int


@contextmanager
def connected(settings: Settings, spill: Path) -> Generator[duckdb.DuckDBPyConnection, None, None]:
    """A connection that reads and writes times as UTC.

    Args:
        settings: DuckDB's.
        spill: where it may write what does not fit into memory; each connection does so in a folder of its own.
    """
    own = spill / uuid4().hex
    own.mkdir(parents=True)
    try:
        with duckdb.connect(config={**settings, "temp_directory": str(own)}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    finally:
        shutil.rmtree(own, ignore_errors=True)


def partition(
    paths: Sequence[Path], folder: Path, *, chunks: int, settings: Settings, report: Callable[[int, int], None]
) -> tuple[list[str], list[str]]:
    """Write the rows of the files to `<batch>/chunk=<c>/event=<e>/*.parquet`.

    Returns:
        The event names with folders of their own, by position, and the columns written.

    Raises:
        Refused: a file cannot be read.
    """
    with connected(settings, folder / "spill") as connection:
        files = _read_footers(connection, paths)
        names = _frequent_names(connection, paths)
        columns = [name for name in KUSTO_SCHEMA if any(name in file.columns for file in files)]
        done = 0
        for number, batch in enumerate(_batches(files)):
            place = _chunk_of(chunks), f"coalesce(list_position({_listed(names)}, Name), 0) - 1"
            _write(connection, _selected(batch, columns), place, folder / f"{number:05d}")
            done += sum(file.rows for file in batch)
            report(done, sum(file.rows for file in files))
    return names, columns


def _read_footers(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> list[RawFile]:
    columns = {path: readable_columns(path) & KUSTO_SCHEMA.keys() for path in paths}
    query = f"""
        SELECT file_name, sum(num_rows), sum(bytes) FROM (
            SELECT file_name, row_group_id, max(row_group_num_rows) AS num_rows, sum(total_uncompressed_size) AS bytes
            FROM parquet_metadata({_listed(paths)}) GROUP BY ALL
        ) GROUP BY ALL"""  # noqa: S608 - paths are quoted
    sizes = {name: (int(rows), int(size)) for name, rows, size in _run(connection, query, paths)}
    return [RawFile(path, columns[path], *sizes.get(str(path), (0, 0))) for path in paths]


def _frequent_names(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> list[str]:
    query = f"""
        SELECT Name FROM read_parquet({_listed(paths)}) WHERE Name IS NOT NULL
        GROUP BY Name ORDER BY count(*) DESC, Name LIMIT {NAMES_APART}"""  # noqa: S608 - paths are quoted
    return sorted(name for (name,) in _run(connection, query, paths))


def _batches(files: Sequence[RawFile]) -> Iterator[list[RawFile]]:
    batch: list[RawFile] = []
    for file in files:
        rows, size = sum(other.rows for other in batch), sum(other.bytes for other in batch)
        if batch and (rows + file.rows > BATCH_ROWS or size + file.bytes > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(file)
    yield batch


def _selected(batch: Sequence[RawFile], columns: Sequence[str]) -> tuple[list[Path], str]:
    """The files of a batch, and the columns of the table as they are stored."""
    present = {column for file in batch for column in file.columns}
    return [file.path for file in batch], ", ".join(_stored(column, present) for column in columns)


def _stored(column: str, present: set[str]) -> str:
    """A dynamic that is no JSON is kept as a JSON string, as Kusto does."""
    kind = DUCKDB_TYPES[KUSTO_SCHEMA[column]]
    if column not in present:
        return f'CAST(NULL AS {kind}) AS "{column}"'
    if kind == "JSON":
        return f'coalesce(TRY_CAST("{column}" AS JSON), to_json("{column}")) AS "{column}"'
    return f'CAST("{column}" AS {kind}) AS "{column}"'


def _chunk_of(chunks: int) -> str:
    """The chunk of a conversation, as the queries and `curation.hashing` tell it."""
    conversation = "coalesce(json_extract(\"Properties\", '$.conversationId') ->> '$', '')"
    return f"CAST('0x' || substr(sha256('chunk:' || {conversation}), 1, 8) AS BIGINT) % {chunks}"


def _write(
    connection: duckdb.DuckDBPyConnection, selected: tuple[list[Path], str], place: tuple[str, str], folder: Path
) -> None:
    paths, columns = selected
    chunk, event = place
    rows = f"SELECT {columns} FROM read_parquet({_listed(paths)}, union_by_name = true, hive_partitioning = false)"  # noqa: S608
    options = "FORMAT parquet, PARTITION_BY (chunk, event), COMPRESSION zstd, COMPRESSION_LEVEL 1"
    statement = f"COPY (SELECT *, {chunk} AS chunk, {event} AS event FROM ({rows})) TO {quoted(folder)} ({options})"  # noqa: S608
    _run(connection, statement, paths)


def quoted(text: object) -> str:
    """A SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def _listed(texts: Sequence[object]) -> str:
    return f"CAST([{', '.join(map(quoted, texts))}] AS VARCHAR[])"


def _run(connection: duckdb.DuckDBPyConnection, statement: str, paths: Sequence[Path]) -> list[tuple[Any, ...]]:
    """Run a statement over files; what the engine has against one is told without the data that it may quote."""
    try:
        return connection.execute(statement).fetchall()
    except duckdb.Error as error:
        raise Refused(
            f"the raw events in {paths[0]} to {paths[-1]} cannot be staged ({type(error).__name__})",
            remedy="check that these files are whole and that the disk is not full, or remove them",
        ) from None
