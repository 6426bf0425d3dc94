"""Data-Juicer: `python -m bench.curate.data_juicer_side CHUNKS OUT PLAN`.

As its users work: a recipe for its default executor with two processes (`document_deduplicator` on the id, then a
registered operator that judges), `process` of that dataset with a selector and a mapper, and its exporter. One's own
operators see batches, and `turbo` spares the built-in one a batch per record: that halves all processor time.

What Data-Juicer cannot do: its selectors take the top of a whole dataset, not of each cell, an export is one file, so
that nine files are nine exports of slices, and there are no digests. The choice by cell, the rules and the digests are
plain Python (bench.curate.by_hand). All of a record goes through every step, as all operators rewrite the dataset.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HOME=f"{sys.argv[2]}/.cache")
os.environ.update(UV_OFFLINE="1", PIP_NO_INDEX="1")  # or it installs what it misses while it runs

from data_juicer.config import init_configs
from data_juicer.core import DefaultExecutor
from data_juicer.core.data import NestedDataset
from data_juicer.core.exporter import Exporter
from data_juicer.ops import base_op
from data_juicer.ops.base_op import OPERATORS, Mapper, Selector

from bench.curate.by_hand import JUDGED, Rules, chosen, columns_of, counts, release, released_turns
from bench.telling import tell

OUT = Path(sys.argv[2])
PROCESSES = 2
INTERNAL = ("cell", "priority", "broken", "warnings", "__dj__hash", "dropReason")
"""Columns that no record has."""

Columns = dict[str, list[Any]]

# No operator here has a model to free; freeing none needs torch, and torch is 5 GB that nothing else here uses.
base_op.free_models = lambda: None


@OPERATORS.register_module("judge_mapper")
class JudgeMapper(Mapper):
    """Adds what the rules say of each record."""

    _batched_op = True

    def __init__(self, plan_path: str = "", **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rules = Rules(json.loads(Path(plan_path).read_text()))

    def process_batched(self, samples: Columns) -> Columns:
        """A batch, judged."""
        rows = zip(*(samples[name] for name in JUDGED), strict=True)
        judgements = [self.rules.judge(dict(zip(JUDGED, row, strict=True))) for row in rows]
        return samples | columns_of(judgements)


@OPERATORS.register_module("cell_selector")
class CellSelector(Selector):
    """Takes as many valid records of each cell as the plan wants, cell by cell."""

    def __init__(self, plan: Mapping[str, Any], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.targets = plan["targets"]

    def process(self, dataset: NestedDataset) -> NestedDataset:
        """The sample of all cells."""
        light = dataset.select_columns(["cell", "priority", "broken"]).to_list()
        ranked = ((row["cell"], row["priority"], number) for number, row in enumerate(light) if not row["broken"])
        return dataset.select([number for own in chosen(ranked, self.targets).values() for number in own])


@OPERATORS.register_module("turns_mapper")
class TurnsMapper(Mapper):
    """Makes records of the columns of JSON text, and of the cell the split."""

    _batched_op = True

    def process_batched(self, samples: Columns) -> Columns:
        """A batch with `models` and `turnsArray` as what their text says."""
        samples["split"] = [cell.split("/")[0] for cell in samples["cell"]]
        samples["models"] = [sorted(json.loads(text or "[]")) for text in samples["models"]]
        samples["turnsArray"] = [released_turns(text) for text in samples["turnsArray"]]
        return samples


def recipe(chunks: Path) -> Path:
    """The file that the executor is told by."""
    work = OUT / ".work"
    work.mkdir()
    told = {
        "dataset_path": str(chunks),
        "export_path": str(work / "sample.jsonl"),
        "work_dir": str(work),
        "ds_cache_dir": str(OUT / ".cache"),
        "np": PROCESSES,
        "text_keys": "turnsArray",
        "skip_op_error": False,
        "turbo": True,
        "process": [
            {"document_deduplicator": {"text_key": "conversationId"}},
            {"judge_mapper": {"plan_path": sys.argv[3]}},
        ],
    }
    path = work / "recipe.yaml"
    path.write_text(json.dumps(told))
    return path


def curate(chunks: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Chunk results to nine files; the answer."""
    settings = init_configs(["--config", str(recipe(chunks))])
    executor = DefaultExecutor(settings)
    candidates = executor.dataset_builder.load_dataset()
    judged = executor.run(candidates, skip_export=True)
    broken, warnings = judged["broken"], judged["warnings"]
    sample = judged.process([CellSelector(plan), TurnsMapper(num_proc=PROCESSES)])
    answer = {
        "rows": len(candidates),
        "valid": sum(not names for names in broken),
        "broken": counts(map(str.split, broken)),
        "taken": written(sample, plan),
    }
    release(OUT, plan, {**answer, "warnings": counts(map(str.split, warnings))})
    return answer


def written(sample: NestedDataset, plan: Mapping[str, Any]) -> dict[str, int]:
    """The file of each cell; how many records each holds."""
    taken, first = Counter(sample["cell"]), 0  # in the order of the rows
    records = sample.remove_columns([name for name in INTERNAL if name in sample.column_names])
    for cell, count in taken.items():
        path = str(OUT / plan["files"][cell])
        Exporter(path, "jsonl", export_stats=False).export(records.select(range(first, first + count)))
        first += count
    return dict(taken)


def main() -> None:
    """Curate, and tell what it took."""
    plan = json.loads(Path(sys.argv[3]).read_text())
    began = time.perf_counter()
    answer = curate(Path(sys.argv[1]), plan)
    tell(time.perf_counter() - began, answer)


if __name__ == "__main__":
    main()
