"""What the machine allows: `python -m bench.curate.limit_side CHUNKS OUT PLAN BYTES`.

The chunks parsed once by the fastest parser at hand, and as many bytes written as this project writes: no rule, no
sample, no digest. A parser counts where it leaves values that one can compute with, the fields of the line and those of
the turns in it, on all cores. All of them run each time, and the fastest one counts; on 380 MB and one core's time:
DuckDB 1.1 s, Polars (streaming) 1.4 s, msgspec (typed structs) 1.7 s, orjson (dictionaries) 2.0 s. simdjson needs
2.1 s where every value is asked for, and 1.3 s for its bare index of the text, which is told but does not count:
nothing can be computed with it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import orjson
import polars as pl
import simdjson

from bench.curate.duckdb_side import CALL, COLUMNS, TURN
from bench.telling import tell

POLARS = {"BIGINT": pl.Int64(), "VARCHAR": pl.String(), "BOOLEAN": pl.Boolean()}
PYTHON = {"BIGINT": int | None, "VARCHAR": str | None, "BOOLEAN": bool | None}
LIGHT_TURN = {name: dtype for name, dtype in TURN.items() if isinstance(dtype, str)}
CALL_STRUCT = msgspec.defstruct("Call", [(name, PYTHON[dtype]) for name, dtype in CALL.items()], gc=False)
TURN_FIELDS = [(name, PYTHON[dtype]) for name, dtype in LIGHT_TURN.items()]
TURN_STRUCT = msgspec.defstruct("Turn", [*TURN_FIELDS, ("llmCalls", list[CALL_STRUCT] | None)], gc=False)
LINE_STRUCT = msgspec.defstruct("Line", [(name, PYTHON[dtype]) for name, dtype in COLUMNS.items()], gc=False)
LINES, TURNS = msgspec.json.Decoder(LINE_STRUCT), msgspec.json.Decoder(list[TURN_STRUCT])
PIECE = 64 << 20


class Parsed(NamedTuple):
    """What came out: the same of all parsers."""

    rows: int
    turns: int


def by_duckdb(files: Sequence[Path]) -> Parsed:
    """Columns of DuckDB."""
    lines = f"read_json({[str(path) for path in files]}, format = 'newline_delimited', columns = {json.dumps(COLUMNS)})"
    typed = f"SELECT * REPLACE (from_json(turnsArray, '{json.dumps([TURN])}') AS turnsArray) FROM {lines}"
    counts = duckdb.execute(f"SELECT sum(len(turnsArray)), count(COLUMNS(*)) FROM ({typed})").fetchone()
    if counts is None:
        raise SystemExit("DuckDB counted nothing")
    return Parsed(counts[1], int(counts[0]))


def by_polars(files: Sequence[Path]) -> Parsed:
    """Columns of Polars."""
    call = pl.Struct({name: POLARS[dtype] for name, dtype in CALL.items()})
    turn = pl.Struct({name: POLARS[dtype] for name, dtype in LIGHT_TURN.items()} | {"llmCalls": pl.List(call)})
    lines = pl.scan_ndjson(list(files), schema={name: POLARS[dtype] for name, dtype in COLUMNS.items()})
    typed = lines.with_columns(pl.col("turnsArray").str.json_decode(pl.List(turn)))
    counts = typed.select(pl.all().count(), turns=pl.col("turnsArray").list.len().sum())
    found = counts.collect(engine="streaming").row(0, named=True)
    return Parsed(found["conversationId"], found["turns"])


def by_msgspec(path: Path) -> Parsed:
    """Objects with typed fields."""
    counts = [len(TURNS.decode(line.turnsArray)) for line in LINES.decode_lines(path.read_bytes())]
    return Parsed(len(counts), sum(counts))


def by_orjson(path: Path) -> Parsed:
    """Dictionaries and lists."""
    counts = [len(orjson.loads(orjson.loads(line)["turnsArray"])) for line in path.read_bytes().splitlines()]
    return Parsed(len(counts), sum(counts))


def index_of_simdjson(path: Path) -> Parsed:
    """No values but the text of the turns: simdjson's own index of a line, and of the turns in it."""
    line_parser, turns_parser, counts = simdjson.Parser(), simdjson.Parser(), list[int]()
    for line in path.read_bytes().splitlines():
        fields = line_parser.parse(line)
        turns = turns_parser.parse(fields["turnsArray"].encode())
        counts.append(len(turns))
        del fields, turns  # a parser refuses to parse while something of its last document lives
    return Parsed(len(counts), sum(counts))


def in_processes(parse: Callable[[Path], Parsed], pool: ProcessPoolExecutor) -> Callable[[Sequence[Path]], Parsed]:
    """A parser of one file as a parser of all, on all cores."""

    def parse_all(files: Sequence[Path]) -> Parsed:
        rows, turns = zip(*pool.map(parse, files), strict=True)
        return Parsed(sum(rows), sum(turns))

    return parse_all


def timed(parsers: dict[str, Callable[[Sequence[Path]], Parsed]], files: Sequence[Path]) -> dict[str, float]:
    """Seconds by parser."""
    seconds, found = dict[str, float](), set[Parsed]()
    for name, parse in parsers.items():
        began = time.perf_counter()
        found.add(parse(files))
        seconds[name] = time.perf_counter() - began
    if len(found) != 1:
        raise SystemExit(f"the parsers read different things: {found}")
    return seconds


def written(path: Path, size: int, piece: bytes) -> float:
    """Seconds until so many bytes are on the disk."""
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        whole = memoryview(piece)
        for start in range(0, size, len(piece)):
            file.write(whole[: size - start])
        os.fsync(file.fileno())
    return time.perf_counter() - began


def main() -> None:
    """Parse, write, and tell what each took."""
    chunks, out, _, size = sys.argv[1:]
    files = sorted(Path(chunks).glob("*.jsonl"))
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        list(pool.map(by_msgspec, files[:2]))  # starts the processes
        parsers = {
            "DuckDB": by_duckdb,
            "Polars": by_polars,
            "msgspec": in_processes(by_msgspec, pool),
            "orjson": in_processes(by_orjson, pool),
            "index of simdjson": in_processes(index_of_simdjson, pool),
        }
        seconds = timed(parsers, files)
    index = seconds.pop("index of simdjson")
    fastest = min(seconds, key=seconds.__getitem__)
    with files[0].open("rb") as file:
        write = written(Path(out) / "bytes", int(size), file.read(PIECE))
    answer = {"parsers": seconds, "index of simdjson": index, "fastest": fastest, "write": write, "bytes": int(size)}
    tell(seconds[fastest] + write, answer)


if __name__ == "__main__":
    main()
