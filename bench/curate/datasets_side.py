"""Hugging Face `datasets`: `python -m bench.curate.datasets_side CHUNKS OUT PLAN`.

As its users work: `load_dataset("json")`, batched `map` in two processes, `filter`, `sort`, `select`, `to_json`. The
text of the turns is in no column that is made on the way, and only what was chosen is parsed into records.

What `datasets` cannot do: it drops no duplicates (its users keep a set of ids in a `filter` of one process, as here)
and draws no sample by cell (`sort` by priority and `take`, cell by cell, give one). Rules and digests are plain Python
(bench.curate.by_hand).
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HOME=f"{sys.argv[2]}/.cache")

from datasets import Dataset, concatenate_datasets, disable_progress_bars, load_dataset

from bench.curate.by_hand import JUDGED, Rules, columns_of, counts, release, released_turns
from bench.telling import tell

OUT = Path(sys.argv[2])
PROCESSES = 2
Columns = Mapping[str, list[Any]]


def judged(batch: Columns, numbers: list[int], plan: Mapping[str, Any]) -> Columns:
    """Light rows: who a record is, where it lies, and what the rules say of it."""
    rules = Rules(plan)
    records = (dict(zip(JUDGED, values, strict=True)) for values in zip(*(batch[name] for name in JUDGED), strict=True))
    light = columns_of([rules.judge(record) for record in records])
    return {"row": numbers, "id": batch["conversationId"], **light}


def parsed(batch: Columns, numbers: list[int], cells: Sequence[str]) -> Columns:
    """The split, and the two columns of JSON text as what the text says."""
    return {
        "split": [cells[number].split("/")[0] for number in numbers],
        "models": [sorted(json.loads(text or "[]")) for text in batch["models"]],
        "turnsArray": [released_turns(text) for text in batch["turnsArray"]],
    }


def without_duplicates(light: Dataset) -> Dataset:
    """The first row of each id."""
    seen = set[str]()

    def is_new(ids: Iterable[str]) -> list[bool]:
        return [not (conversation_id in seen or seen.add(conversation_id)) for conversation_id in ids]

    return light.filter(is_new, batched=True, input_columns="id")


def curate(chunks: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Chunk results to nine files; the answer."""
    files = [str(path) for path in sorted(chunks.glob("*.jsonl"))]
    candidates = load_dataset(
        "json", data_files=files, split="train", num_proc=PROCESSES, cache_dir=str(OUT / ".cache")
    )
    light = candidates.map(
        judged,
        batched=True,
        with_indices=True,
        num_proc=PROCESSES,
        remove_columns=candidates.column_names,
        fn_kwargs={"plan": plan},
    )
    light = without_duplicates(light)
    valid = light.filter(lambda broken: [not names for names in broken], batched=True, input_columns="broken")
    sample = sampled(valid, plan)
    cells = list(sample["cell"])
    records = candidates.select(sample["row"]).map(
        parsed,
        batched=True,
        with_indices=True,
        num_proc=PROCESSES,
        remove_columns="dropReason",
        fn_kwargs={"cells": cells},
    )
    taken = written(records, cells, plan)
    answer = {
        "rows": len(candidates),
        "valid": len(valid),
        "broken": counts(map(str.split, light["broken"])),
        "taken": taken,
    }
    release(OUT, plan, {**answer, "warnings": counts(map(str.split, light["warnings"]))})
    return answer


def sampled(valid: Dataset, plan: Mapping[str, Any]) -> Dataset:
    """The light rows that are taken, cell by cell."""
    ranked, cells = valid.sort("priority"), list[Dataset]()
    for cell in plan["files"]:
        split, bucket = cell.split("/")
        of_cell = ranked.filter(partial(is_of, cell=cell), batched=True, input_columns="cell")
        cells.append(of_cell.take(min(plan["targets"][split][bucket], len(of_cell))))
    return concatenate_datasets(cells)


def is_of(cells: Sequence[str], cell: str) -> list[bool]:
    """Which rows are of a cell."""
    return [one == cell for one in cells]


def written(records: Dataset, cells: Iterable[str], plan: Mapping[str, Any]) -> dict[str, int]:
    """The file of each cell; how many records each holds."""
    taken, first = Counter(cells), 0
    for cell, name in plan["files"].items():
        (OUT / name).parent.mkdir(parents=True, exist_ok=True)
        records.select(range(first, first + taken[cell])).to_json(OUT / name, force_ascii=False)
        first += taken[cell]
    return dict(taken)


def main() -> None:
    """Curate, and tell what it took."""
    disable_progress_bars()
    plan = json.loads(Path(sys.argv[3]).read_text())
    began = time.perf_counter()
    answer = curate(Path(sys.argv[1]), plan)
    tell(time.perf_counter() - began, answer)


if __name__ == "__main__":
    main()
