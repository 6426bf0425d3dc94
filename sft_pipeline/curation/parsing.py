"""Released lines back into records, strictly: what this project would not have written is no record.

Belongs here: the way back from `records.record_lines`.
Does not belong here: whether a record keeps the rules (rules), reading files (clients.verification).
"""

import json
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.json_texts import decoded
from sft_pipeline.curation.records import record_lines
from sft_pipeline.curation.tables import RECORD_FIELDS, Conversation, schema_of
from sft_pipeline.curation.validating import IDS_SHOWN

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.6fZ"
_TIMES = ("firstTime", "lastTime")
_RECORD = pl.Struct({name: pl.String() if name in _TIMES else schema_of(Conversation)[name] for name in RECORD_FIELDS})


class Parsed(NamedTuple):
    """Records, and the numbers (from 0) of lines that are none; after five of those, reading stops."""

    records: pl.DataFrame
    odd: tuple[int, ...]


def parse_records(lines: bytes) -> Parsed:
    """Read lines whose fields, types, order and line ends are those of `record_lines`.

    Polars alone would let unknown fields, missing ones, numbers for texts and blank lines pass: written again, the
    records must give the same bytes, or at least the same JSON where another version escaped it otherwise.
    """
    try:
        records = _read(lines)
        if record_lines(records) == lines:
            return Parsed(records, ())
    except pl.exceptions.PolarsError:
        pass
    return _parse_one_by_one(lines)


def _read(lines: bytes) -> pl.DataFrame:
    times = pl.col(_TIMES).str.to_datetime(_TIME_FORMAT, time_unit="us", time_zone="UTC")
    # Decoding a column of texts is four times as fast as reading the same lines as a file.
    texts = pl.Series(lines.removesuffix(b"\n").split(b"\n") if lines else [], dtype=pl.Binary())
    records = decoded(texts.cast(pl.String()), _RECORD).struct.unnest()
    # In one chunk: expressions over columns that are chunked differently can panic in this version of Polars.
    return records.with_columns(times).rechunk()


def _parse_one_by_one(lines: bytes) -> Parsed:
    records, odd = [_read(b"")], list[int]()
    for number, line in enumerate(_split(lines)):
        found = _record(line)
        if found is None:
            odd.append(number)
        else:
            records.append(found)
        if len(odd) == IDS_SHOWN:
            break
    return Parsed(pl.concat(records, rechunk=True), tuple(odd))


def _split(lines: bytes) -> list[bytes]:
    *whole, rest = lines.split(b"\n")
    return [*(line + b"\n" for line in whole), *([rest] if rest else [])]


def _record(line: bytes) -> pl.DataFrame | None:
    try:
        record = _read(line)
        same = record.height == 1 and line.endswith(b"\n") and _fields(record_lines(record)) == _fields(line)
    except (pl.exceptions.PolarsError, ValueError, RecursionError):
        return None
    return record if same else None


def _fields(line: bytes) -> object:
    """The JSON of a line with the order and repetition of its fields."""
    return json.loads(line, object_pairs_hook=tuple)
