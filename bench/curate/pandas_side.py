"""pandas: `python -m bench.curate.pandas_side CHUNKS OUT PLAN`.

The method that the first version of this dataset was made by: a frame per chunk, `concat`, `drop_duplicates`, splits by
`hashlib`, a Python loop that parses and validates record by record, `DataFrame.sample` of each cell, `json.dump` with
`indent=2`. `read_json` with the engine and the types of pyarrow is the fastest way into pandas that was found: on 63 MB
it takes 0.26 s of processor time, its own engine 1.2 s, `json.loads` line by line 0.6 s, and orjson 0.3 s. That engine
uses all cores; the rest of pandas and Python uses one.

`sample(random_state=...)` draws other conversations than ranking by a hash does; counts, cells and contents are the
same. The loop keeps no parsed turns, and those of the sample are parsed again: all of them would take 2.5 bytes of
memory per byte of input.
"""

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.curate.by_hand import JUDGED, is_blank, release
from bench.telling import tell

REQUIRED = ("conversationId", "userName", "bucket")
LARGE = pd.ArrowDtype(pa.large_string())
"""For a column of more than 2 GB, of which no rows can be taken otherwise."""

ROWS_AT_ONCE = 1_000
SEED = 42


def read(chunks: Path) -> pd.DataFrame:
    """All candidates, each id once."""
    frames = [
        pd.read_json(path, lines=True, engine="pyarrow", dtype_backend="pyarrow").astype({"turnsArray": LARGE})
        for path in sorted(chunks.glob("*.jsonl"))
    ]
    return pd.concat(frames, ignore_index=True)


def records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries, None where nothing is known."""
    for start in range(0, len(frame), ROWS_AT_ONCE):
        piece = frame.iloc[start : start + ROWS_AT_ONCE].astype(object)
        yield from piece.where(piece.notna(), None).to_dict("records")


def split_of(conversation_id: str, shares: Mapping[str, int]) -> str:
    """The split that the hash of the id gives."""
    percent = int(hashlib.sha256(f"split:{conversation_id}".encode()).hexdigest()[:8], 16) % 100
    return next(split for split, bound in zip(shares, accumulate(shares.values()), strict=True) if percent < bound)


def turns_of(text: str) -> list[dict[str, Any]]:
    """The turns in order, their calls by time."""
    turns = sorted(json.loads(text), key=lambda turn: turn["turnIndex"])
    for turn in turns:
        turn["llmCalls"] = sorted(turn["llmCalls"] or [], key=lambda call: call["time"])
    return turns


def errors(record: Mapping[str, Any], buckets: Mapping[str, tuple[int, int]]) -> tuple[list[str], list[str]]:
    """The fatal rules that a record breaks, and its warnings."""
    turns = turns_of(record["turnsArray"])
    indices = [turn["turnIndex"] for turn in turns]
    fewest, most = buckets[record["bucket"]]
    fatal = {
        "required_fields_are_present": not turns or any(is_blank(record[name]) for name in REQUIRED),
        "conversation_is_complete": record["minTurnIndex"] != 1
        or record["capturedTurnCount"] != record["maxTurnIndex"],
        "first_turn_is_1": indices[:1] != [1],
        "turns_are_sequential": indices != list(range(1, len(turns) + 1)),
        "turn_count_matches_turns": record["turnCount"] != len(turns),
        "bucket_matches_turn_count": not fewest <= record["turnCount"] <= most,
        "every_turn_has_a_user_message": any(is_blank(turn["userMessage"]) for turn in turns),
    }
    prompt, completion = record["promptTokens"], record["completionTokens"]
    warnings = {
        "every_turn_has_a_model_message": any(is_blank(turn["modelMessage"]) for turn in turns),
        "prompt_tokens_are_positive": prompt is None or prompt <= 0,
        "completion_tokens_are_not_negative": completion is None or completion < 0,
    }
    return [name for name, broken in fatal.items() if broken], [name for name, broken in warnings.items() if broken]


def write(sample: pd.DataFrame, path: Path) -> None:
    """The file of a cell: an array of records."""
    rows = [
        row | {"models": sorted(json.loads(row["models"])), "turnsArray": turns_of(row["turnsArray"])}
        for row in records(sample.drop(columns="dropReason"))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        json.dump(rows, file, indent=2)


def curate(chunks: Path, out: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Chunk results to nine files; the answer, with the seconds of its parts."""
    began = time.perf_counter()
    frame = read(chunks)
    rows = len(frame)
    frame = frame.drop_duplicates("conversationId")
    frame["split"] = [split_of(one, plan["split_shares"]) for one in frame["conversationId"]]
    loaded = time.perf_counter()
    found = [errors(record, plan["buckets"]) for record in records(frame[list(JUDGED)])]
    frame = frame[[not fatal for fatal, _ in found]]
    checked = time.perf_counter()
    light, taken = frame[["split", "bucket"]], dict[str, int]()
    for cell, name in plan["files"].items():
        split, bucket = cell.split("/")
        of_cell = light.index[(light["split"] == split) & (light["bucket"] == bucket)].to_series()
        drawn = of_cell.sample(min(plan["targets"][split][bucket], len(of_cell)), random_state=SEED)
        write(frame.loc[drawn], out / name)
        taken[cell] = len(drawn)
    counts = {
        "rows": rows,
        "valid": len(frame),
        "broken": dict(Counter(name for fatal, _ in found for name in fatal)),
        "warnings": dict(Counter(name for _, warnings in found for name in warnings)),
        "taken": taken,
    }
    release(out, plan, counts)
    parts = {"read": loaded - began, "validate": checked - loaded, "write": time.perf_counter() - checked}
    return counts | {"parts": parts}


def main() -> None:
    """Curate, and tell what it took."""
    chunks, out, plan = map(Path, sys.argv[1:])
    told = json.loads(plan.read_text())
    began = time.perf_counter()
    answer = curate(chunks, out, told)
    tell(time.perf_counter() - began, answer)


if __name__ == "__main__":
    main()
