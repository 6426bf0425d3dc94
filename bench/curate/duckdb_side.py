"""DuckDB: `python -m bench.curate.duckdb_side CHUNKS OUT PLAN [--stored]`.

Everything is SQL: `read_json` and `from_json` with the structure written out, `sha256` for splits and ranks, rules as
columns, `row_number` for the exact sample, `COPY` for the files; Python adds digests and metadata.json. The sample is
the one that this project draws. All cores work; what exceeds half of the machine's memory goes to a temporary folder.

The parsed candidates are a table in memory. A second pass over the chunks in its place takes an eighth more processor
time and less memory; a table in a file takes half as much time again.

`--stored` is how one would make it restart after a crash and keep its memory small, which is what this project does:
chunk by chunk into Parquet files, each record with the SHA-256 of its JSON, and from those files on.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import psutil

from bench.curate.by_hand import release
from bench.telling import tell

REPAIRS = (
    "duplicateMessages, restoredMessages, truncatedMessages, retriedTurns, subagentTurns, continuationTurns, "
    "finalMessages, unattachedFinals"
)
NUMBERS = (
    f"turnCount, minTurnIndex, maxTurnIndex, capturedTurnCount, promptTokens, completionTokens, llmCallCount, {REPAIRS}"
)
TEXTS = "conversationId, userName, bucket, firstTime, lastTime, models, dropReason, turnsArray"
COLUMNS = dict.fromkeys(NUMBERS.split(", "), "BIGINT") | dict.fromkeys(TEXTS.split(", "), "VARCHAR")
CALL = {
    "time": "VARCHAR",
    "modelCallId": "VARCHAR",
    "model": "VARCHAR",
    "promptTokens": "BIGINT",
    "completionTokens": "BIGINT",
}
TURN = {
    "turnIndex": "BIGINT",
    "messageId": "VARCHAR",
    "userMessage": "VARCHAR",
    "modelMessage": "VARCHAR",
    "model": "VARCHAR",
    "responseType": "VARCHAR",
    "numRequests": "BIGINT",
    "toolCounts": "VARCHAR",
    "turnDurationMs": "BIGINT",
    "isContinuation": "BOOLEAN",
    "llmCallCount": "BIGINT",
    "promptTokens": "BIGINT",
    "completionTokens": "BIGINT",
    "llmCalls": [CALL],
}
VISIBLE = (
    r"[^\s\x00-\x1f\x7f-\xa0\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{1680}\x{17b4}\x{17b5}\x{180b}-\x{180f}"
    r"\x{2000}-\x{200f}\x{2028}-\x{202f}\x{205f}-\x{206f}\x{2800}\x{3000}\x{3164}\x{fe00}-\x{fe0f}\x{feff}\x{ffa0}"
    r"\x{fff0}-\x{fff8}\x{1bca0}-\x{1bca3}\x{1d173}-\x{1d17a}\x{e0000}-\x{e0fff}]"
)
"""A character that a person would see."""

FATAL = {
    "required_fields_are_present": "len(turns) = 0 OR NOT visible(conversationId) OR NOT visible(userName)",
    "conversation_is_complete": "minTurnIndex != 1 OR capturedTurnCount != maxTurnIndex",
    "first_turn_is_1": "turns[1].turnIndex != 1",
    "turns_are_sequential": "[turn.turnIndex FOR turn IN turns] != range(1, len(turns) + 1)",
    "turn_count_matches_turns": "turnCount != len(turns)",
    "bucket_matches_turn_count": "NOT turnCount BETWEEN fewest AND most",
    "every_turn_has_a_user_message": "len([turn FOR turn IN turns IF NOT visible(turn.userMessage)]) > 0",
}
WARNINGS = {
    "every_turn_has_a_model_message": "len([turn FOR turn IN turns IF NOT visible(turn.modelMessage)]) > 0",
    "prompt_tokens_are_positive": "promptTokens <= 0",
    "completion_tokens_are_not_negative": "completionTokens < 0",
}
BROKEN = ", ".join(f"coalesce({broken}, true) AS {name}" for name, broken in (FATAL | WARNINGS).items())
COUNTED = ", ".join(f"count(*) FILTER ({name}) AS {name}" for name in FATAL | WARNINGS)
IS_VALID = " AND ".join(f"NOT {name}" for name in FATAL)

PARSE = """
CREATE TABLE parsed AS SELECT * EXCLUDE (turnsArray, dropReason), turns_of(turnsArray) AS turns FROM candidates
"""
STORE = """
COPY (
  SELECT *, sha256(to_json(record)) AS digest
  FROM (
    SELECT * EXCLUDE (turnsArray, dropReason), turns_of(turnsArray) AS turns
    FROM read_json('{chunk}', format = 'newline_delimited', columns = {columns})
  ) AS record
) TO '{table}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
"""
LOOK = f"""
CREATE TABLE looked AS
SELECT DISTINCT ON (conversationId) *
FROM (
  SELECT conversationId, bucket, split_of(conversationId) AS split, rank_of(conversationId) AS rank, {BROKEN}
  FROM parsed LEFT JOIN buckets USING (bucket)
)
"""
CHOOSE = f"""
CREATE TABLE chosen AS
SELECT conversationId, split, bucket, place
FROM (
  SELECT *, row_number() OVER (PARTITION BY split, bucket ORDER BY rank, conversationId) AS place
  FROM looked WHERE {IS_VALID}
) JOIN targets USING (split, bucket)
WHERE place <= target
"""
RECORDS = """
SELECT
  chosen.split,
  parsed.* EXCLUDE (turns) REPLACE (list_sort(from_json(models, '["VARCHAR"]')) AS models),
  [struct_update(turn, llmCalls := coalesce(list_sort(turn.llmCalls), [])) FOR turn IN turns] AS turnsArray
FROM parsed JOIN chosen USING (conversationId)
WHERE chosen.split = '{split}' AND chosen.bucket = '{bucket}'
ORDER BY place
"""


def define(database: duckdb.DuckDBPyConnection, chunks: Path, plan: Mapping[str, Any]) -> None:
    """The chunks as a view, the plan as tables, and what the statements call by name."""
    files, columns = str(chunks / "*.jsonl"), json.dumps(COLUMNS)
    bounds, bound = list[str](), 0
    for split, share in plan["split_shares"].items():
        bound += share
        bounds.append(f"WHEN {bound} > percent THEN '{split}'")
    database.execute(f"""
        CREATE VIEW candidates AS SELECT * FROM read_json('{files}', format = 'newline_delimited', columns = {columns});
        CREATE TABLE buckets (bucket VARCHAR, fewest BIGINT, most BIGINT);
        CREATE TABLE targets (split VARCHAR, bucket VARCHAR, target BIGINT);
        CREATE MACRO visible(text) AS regexp_matches(text, '{VISIBLE}');
        CREATE MACRO turns_of(text) AS list_sort(from_json(text, '{json.dumps([TURN])}'));
        CREATE MACRO split_by(percent) AS CASE {" ".join(bounds)} END;
        CREATE MACRO split_of(id) AS split_by(('0x' || sha256('split:' || id)[:8])::BIGINT % 100);
        CREATE MACRO rank_of(id) AS ('0x' || sha256('sample:{plan["salt"]}:' || id)[:15])::BIGINT;
    """)
    database.executemany(
        "INSERT INTO buckets VALUES (?, ?, ?)", [(name, *turns) for name, turns in plan["buckets"].items()]
    )
    targets = [(split, bucket, count) for split, row in plan["targets"].items() for bucket, count in row.items()]
    database.executemany("INSERT INTO targets VALUES (?, ?, ?)", targets)


def store(database: duckdb.DuckDBPyConnection, chunks: Path, tables: Path) -> None:
    """The parsed candidates of each chunk as a Parquet file on the disk; all of them as the view `parsed`."""
    tables.mkdir()
    for chunk in sorted(chunks.glob("*.jsonl")):
        table = tables / f"{chunk.stem}.parquet"
        database.execute(STORE.format(chunk=chunk, table=table, columns=json.dumps(COLUMNS)))
        with table.open("rb") as written:
            os.fsync(written.fileno())
    database.execute(f"CREATE VIEW parsed AS SELECT * EXCLUDE (digest) FROM '{tables}/*.parquet'")


def write(database: duckdb.DuckDBPyConnection, out: Path, files: Mapping[str, str]) -> dict[str, int]:
    """The file of each cell, in the order of ranks; how many records each holds."""
    taken = dict[str, int]()
    for cell, name in files.items():
        split, bucket = cell.split("/")
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        records = RECORDS.format(split=split, bucket=bucket)
        taken[cell] = database.execute(f"COPY ({records}) TO '{out / name}' (FORMAT json)").fetchall()[0][0]
    return taken


def curate(chunks: Path, out: Path, plan: Mapping[str, Any], *, stored: bool) -> dict[str, Any]:
    """Chunk results to nine files; the answer."""
    half = psutil.virtual_memory().total // 2
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{half}B",
        "temp_directory": str(out / ".temporary"),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=settings) as database:
        began = time.perf_counter()
        define(database, chunks, plan)
        if stored:
            store(database, chunks, out / "tables")
        else:
            database.execute(PARSE)
        parsed = time.perf_counter()
        database.execute(LOOK)
        database.execute(CHOOSE)
        chosen = time.perf_counter()
        files = write(database, out, plan["files"])
        counts = database.execute(f"SELECT count(*), count(*) FILTER ({IS_VALID}), {COUNTED} FROM looked").fetchall()
    rows, valid, *broken = counts[0]
    by_rule = dict(zip(FATAL | WARNINGS, broken, strict=True))
    answer = {
        "rows": rows,
        "valid": valid,
        "broken": {name: by_rule[name] for name in FATAL if by_rule[name]},
        "warnings": {name: by_rule[name] for name in WARNINGS},
        "taken": files,
    }
    release(out, plan, answer)
    parts = {"parse": parsed - began, "choose": chosen - parsed, "write": time.perf_counter() - chosen}
    return answer | {"parts": parts}


def main() -> None:
    """Curate, and tell what it took."""
    stored = "--stored" in sys.argv
    chunks, out, plan = (Path(argument) for argument in sys.argv[1:] if argument != "--stored")
    told = json.loads(plan.read_text())
    began = time.perf_counter()
    answer = curate(chunks, out, told, stored=stored)
    tell(time.perf_counter() - began, answer)


if __name__ == "__main__":
    main()
