"""Imported annotations given back: a file of the records as they are kept.

Belongs here: the kinds of file, and writing them in bounded memory.
Does not belong here: what is kept of a record (records), bringing them in (importing).
"""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import orjson
import polars as pl
import pyarrow.parquet as pq

from sft_pipeline.clients.disk import refusing
from sft_pipeline.clients.labels.importing import imported_identity
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.refusal import Refused

TABLE_COLUMNS: dict[str, pl.DataType] = {
    "request": pl.String(),
    "llm_vote": pl.Int64(),
    "vote": pl.Int64(),
    "model": pl.String(),
    "fields": pl.String(),
}
"""Of a .parquet file; `vote` is 1 for a thumb up and 0 for one down, `fields` holds the other fields as JSON."""

Pieces = Iterator[pl.DataFrame]


def export_labels(store: LabelStore, judge_name: str, path: Path) -> int:
    """Write the records of an imported judge, each once, in the order in which they came; how many there are.

    Args:
        store: where from.
        judge_name: as it was imported under.
        path: a .json or .jsonl file gets a record a line, a .parquet file `TABLE_COLUMNS`.

    Raises:
        Refused: there is no such judge, the ending is another one, or the file cannot be written.
    """
    write = _WRITERS.get(path.suffix)
    if not write:
        raise Refused(f"cannot write {path.suffix or 'a file without ending'}", remedy="name a .jsonl or .parquet file")
    identity = imported_identity(judge_name)
    names = store.records.names(identity.key)
    if not names:
        raise Refused(f"no labels of {identity.model} were imported", remedy=_who_there_is(store))
    columns = ("recordId", "label", "vote", "record")
    with _whole(path) as unfinished:
        return write(_each_once(rows for _, rows in store.records.read(identity.key, names, columns)), unfinished)


def _each_once(pieces: Pieces) -> Generator[pl.DataFrame]:
    """The pieces without the records that two imports at once brought in both."""
    seen: set[str] = set()
    for rows in pieces:
        new = rows.unique("recordId", maintain_order=True)
        if seen:
            new = new.filter([record_id not in seen for record_id in new["recordId"]])
        seen.update(new["recordId"])
        yield new


def _write_lines(pieces: Pieces, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for rows in pieces:
            file.writelines(f"{record}\n" for record in rows["record"])
            count += rows.height
    return count


def _write_table(pieces: Pieces, path: Path) -> int:
    count = 0
    schema: Any = cast("Any", pl.DataFrame(schema=TABLE_COLUMNS).to_arrow()).schema
    with cast("Any", pq.ParquetWriter(path, schema, compression="zstd")) as parquet:
        for rows in pieces:
            parquet.write_table(_table(rows).to_arrow())
            count += rows.height
    return count


_WRITERS: Mapping[str, Callable[[Pieces, Path], int]] = {
    ".jsonl": _write_lines,
    ".json": _write_lines,
    ".parquet": _write_table,
}


def _table(rows: pl.DataFrame) -> pl.DataFrame:
    records: list[dict[str, Any]] = [orjson.loads(record) for record in rows["record"]]
    others = [orjson.dumps({name: one[name] for name in one if name not in TABLE_COLUMNS}).decode() for one in records]
    models = [str(one["model"]) if one.get("model") is not None else None for one in records]
    columns = {
        "request": [one["request"] for one in records],
        "llm_vote": rows["label"],
        "vote": rows["vote"],
        "model": models,
        "fields": others,
    }
    return pl.DataFrame(columns, schema=TABLE_COLUMNS)


def _who_there_is(store: LabelStore) -> str:
    known = [store.records.identity(key, names[0]).model for key, names in store.records.by_judge().items()]
    if not known:
        return "import some first: sft-pipeline labels import FILE --judge NAME"
    return f"there are those of {', '.join(sorted(known))}"


@contextmanager
def _whole(path: Path) -> Generator[Path]:
    """Another name to write under: after the block a file of the asked name holds all, or there is none."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    with refusing(path):
        try:
            unfinished.touch()
            yield unfinished
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
