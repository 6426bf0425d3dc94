"""Whether the files of a side hold what they should, read again and held against the chunks; never timed.

Belongs here: what every side must have in common, and the refusal to record where one has not.
Does not belong here: how fast it was.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.curate.by_hand import Rules, chosen, turns_of

COMPARED = ("turnIndex", "userMessage", "modelMessage", "promptTokens")


@dataclass(frozen=True)
class Reference:
    """What follows from the chunks and the plan, by plain Python.

    Args:
        rows: candidates.
        broken: how many break each fatal rule.
        cells: the cell of each valid id.
        contents: a digest of the turns of each valid id.
        drawn: the ids that each cell takes when ranked by hash.
    """

    rows: int
    broken: Mapping[str, int]
    cells: Mapping[str, str]
    contents: Mapping[str, bytes]
    drawn: Mapping[str, Sequence[str]]


class Differs(SystemExit):
    """A side answered something else than the input says."""

    def __init__(self, side: str, what: str) -> None:
        super().__init__(f"nothing is recorded: {side} differs in {what}")


def reference(chunks: Path, plan: Mapping[str, Any]) -> Reference:
    """Read all chunks once."""
    rules, rows, broken = Rules(plan), 0, Counter[str]()
    cells, contents, ranked = dict[str, str](), dict[str, bytes](), list[tuple[str, int, str]]()
    for path in sorted(chunks.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            record, rows = orjson.loads(line), rows + 1
            judgement, own = rules.judge(record), record["conversationId"]
            broken.update(judgement.broken)
            if not judgement.broken:
                cells[own], contents[own] = judgement.cell, _content(turns_of(record["turnsArray"]))
                ranked.append((judgement.cell, judgement.priority, own))
    return Reference(rows, dict(broken), cells, contents, chosen(ranked, plan["targets"]))


def require_same(
    side: str, answer: Mapping[str, Any], files: Mapping[str, Path], of: Reference, *, ranked: bool = True
) -> None:
    """Hold what a side told and wrote against the reference.

    Args:
        side: its name.
        answer: what it told.
        files: where the file of each cell lies.
        of: the reference.
        ranked: whether it ranks by hash; otherwise it may draw other conversations of the cell, and as many.

    Raises:
        Differs: in counts, or a file holds what it should not.
    """
    require_counts(side, answer, of)
    for cell, path in files.items():
        ids = [_checked(side, cell, record, of) for record in _records(path)]
        wanted = of.drawn[cell]
        if len(ids) != len(wanted) or len(set(ids)) != len(ids):
            raise Differs(side, f"{cell}: {len(ids)} records of {len(set(ids))} conversations, not {len(wanted)}")
        if ranked and set(ids) != set(wanted):
            raise Differs(side, f"{cell}: {len(set(ids) - set(wanted))} conversations are not those that rank first")


def require_counts(side: str, answer: Mapping[str, Any], of: Reference, *, times: int = 1) -> None:
    """Hold what a side told against the reference; not all sides count the rules that are broken.

    Args:
        side: its name.
        answer: what it told.
        of: the reference.
        times: how often each conversation of the reference is in the side's input.

    Raises:
        Differs: in one of the counts.
    """
    right = {
        "rows": times * of.rows,
        "valid": times * len(of.cells),
        "taken": {cell: len(ids) for cell, ids in of.drawn.items()},
        "broken": {name: times * count for name, count in of.broken.items()},
    }
    for name, count in right.items():
        told = answer.get(name, count) if name == "broken" else answer[name]
        if told != count:
            raise Differs(side, f"{name}: {told}, not {count}")


def _checked(side: str, cell: str, record: Mapping[str, Any], of: Reference) -> str:
    own = record["conversationId"]
    if of.cells.get(own) != cell:
        raise Differs(side, f"{cell}: {own} belongs to {of.cells.get(own, 'no cell: it breaks a rule')}")
    if _content(record["turnsArray"]) != of.contents[own]:
        raise Differs(side, f"{cell}: the turns of {own}")
    return own


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of an array, or of lines."""
    written = path.read_bytes()
    if written.startswith(b"["):
        yield from orjson.loads(written)
    else:
        yield from map(orjson.loads, written.splitlines())


def _content(turns: Sequence[Mapping[str, Any]]) -> bytes:
    return hashlib.sha256(orjson.dumps([[turn[name] for name in COMPARED] for turn in turns])).digest()
