"""What libraries for data leave to their users: rules of a record, the exact sample, digests. Plain Python and orjson.

Belongs here: what several peers put into the hooks of theirs; none of them is imported, and nothing of the product.
Does not belong here: reading, parallelism, deduplication, filtering and writing, which are the peers' work.

The rules and their names are those of this project. `split_matches_hash` is missing: a split that was computed a line
above cannot differ from itself. `ids_are_unique` is each peer's own deduplication.
"""

import hashlib
import heapq
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

VISIBLE = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]"
)
"""A character that a person would see: no white space, control, default-ignorable code point or empty Braille cell."""

Key = TypeVar("Key", int, str)

JUDGED = (
    "conversationId",
    "userName",
    "bucket",
    "turnCount",
    "minTurnIndex",
    "maxTurnIndex",
    "capturedTurnCount",
    "promptTokens",
    "completionTokens",
    "turnsArray",
)
"""The fields that the rules look at."""


class Judgement(NamedTuple):
    """Where a record belongs, its rank there (lower comes first), and the names of the rules that it breaks."""

    cell: str
    priority: int
    broken: list[str]
    warnings: list[str]


class Rules:
    """The rules of a record, by a plan as `python -m bench.curate...` gets it."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        shares = plan["split_shares"]
        self._bounds = list(zip(shares, accumulate(shares.values()), strict=True))
        self._buckets = {name: tuple(turns) for name, turns in plan["buckets"].items()}
        self._salt = plan["salt"]

    def judge(self, record: Mapping[str, Any]) -> Judgement:
        """Look at the fields of `JUDGED`; `turnsArray` is JSON text."""
        conversation_id = record["conversationId"] or ""
        turns = turns_of(record["turnsArray"])
        priority = _leading_digits(f"sample:{self._salt}:{conversation_id}", 15)
        cell = f"{self._split(conversation_id)}/{record['bucket']}"
        return Judgement(cell, priority, self._broken(record, turns), _warnings(record, turns))

    def _split(self, conversation_id: str) -> str:
        percent = _leading_digits(f"split:{conversation_id}", 8) % 100
        return next(split for split, bound in self._bounds if percent < bound)

    def _broken(self, record: Mapping[str, Any], turns: list[dict[str, Any]]) -> list[str]:
        count, indices = record["turnCount"], [turn["turnIndex"] for turn in turns]
        lowest, highest = self._buckets.get(record["bucket"], (1, 0))
        there = turns and not any(is_blank(record[name]) for name in ("conversationId", "userName", "bucket"))
        complete = record["minTurnIndex"] == 1 and record["capturedTurnCount"] == record["maxTurnIndex"]
        holds = {
            "required_fields_are_present": there,
            "conversation_is_complete": complete,
            "first_turn_is_1": indices[:1] == [1],
            "turns_are_sequential": indices == list(range(1, len(turns) + 1)),
            "turn_count_matches_turns": count == len(turns),
            "bucket_matches_turn_count": count is not None and lowest <= count <= highest,
            "every_turn_has_a_user_message": not any(is_blank(turn.get("userMessage")) for turn in turns),
        }
        return [name for name, good in holds.items() if not good]


def columns_of(judgements: Sequence[Judgement]) -> dict[str, list[Any]]:
    """Judgements as columns of a batch; names in one text, with blanks between: in Arrow an empty list has no type."""
    return {
        "cell": [judgement.cell for judgement in judgements],
        "priority": [judgement.priority for judgement in judgements],
        "broken": [" ".join(judgement.broken) for judgement in judgements],
        "warnings": [" ".join(judgement.warnings) for judgement in judgements],
    }


def is_blank(text: str | None) -> bool:
    """Whether a person would see nothing of it."""
    return not text or not VISIBLE.search(text)


def turns_of(text: str | None) -> list[dict[str, Any]]:
    """The turns in the text of `turnsArray`, in order."""
    return sorted(orjson.loads(text or "[]"), key=lambda turn: turn["turnIndex"])


def released_turns(text: str) -> list[dict[str, Any]]:
    """The same, and the calls of each turn by time: what a file has in place of the text."""
    turns = turns_of(text)
    for turn in turns:
        turn["llmCalls"] = sorted(turn.get("llmCalls") or [], key=lambda call: call["time"])
    return turns


def chosen(ranked: Iterable[tuple[str, int, Key]], targets: Mapping[str, Mapping[str, int]]) -> dict[str, list[Key]]:
    """The keys of each cell with the lowest priorities, as many as are wanted.

    Args:
        ranked: cell, priority and key of all valid records.
        targets: how many by split and bucket.
    """
    by_cell = defaultdict[str, list[tuple[int, Key]]](list)
    for cell, priority, key in ranked:
        by_cell[cell].append((priority, key))
    wanted = {f"{split}/{bucket}": count for split, row in targets.items() for bucket, count in row.items()}
    return {cell: [key for _, key in heapq.nsmallest(count, by_cell[cell])] for cell, count in wanted.items()}


def counts(names: Iterable[Iterable[str]]) -> dict[str, int]:
    """How often each name stands in all the lists."""
    return dict(Counter(name for each in names for name in each))


def release(out: Path, plan: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    """Write metadata.json: what is told, and size and digests of each file; all of it is on the disk then."""
    files = {name: _described(out / name) for name in plan["files"].values()}
    with (out / "metadata.json").open("w") as file:
        json.dump({**told, "output_files": files}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def _described(path: Path) -> dict[str, str | int]:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            md5.update(piece)
            sha256.update(piece)
            size += len(piece)
        os.fsync(file.fileno())
    return {"bytes": size, "md5": md5.hexdigest(), "sha256": sha256.hexdigest()}


def _warnings(record: Mapping[str, Any], turns: list[dict[str, Any]]) -> list[str]:
    prompt, completion = record["promptTokens"], record["completionTokens"]
    holds = {
        "every_turn_has_a_model_message": not any(is_blank(turn.get("modelMessage")) for turn in turns),
        "prompt_tokens_are_positive": prompt is not None and prompt > 0,
        "completion_tokens_are_not_negative": completion is not None and completion >= 0,
    }
    return [name for name, good in holds.items() if not good]


def _leading_digits(text: str, digits: int) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:digits], 16)
