"""One full curation, and what both benchmarks make of its tables.

Belongs here: what they share. Does not belong here: the benchmarks (kept_ids, remaking).
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.curate.ours import WINDOW
from bench.inputs import chunk_answers, scaled_plan
from bench.measuring import Side, run_alone
from bench.resample.kept_ids import kept_ids
from bench.resample.populations import raised
from bench.resample.remaking import Curated, remaking
from bench.results import Benchmark
from bench.scale import Scale
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.plan import Plan


def resample(scale: Scale, work: Path) -> list[Benchmark]:
    """Curate once, then draw from its candidates and remake a cell from its tables."""
    plan, chunks = scaled_plan(scale.conversations), chunk_answers(work, scale.conversations)
    with TemporaryDirectory(dir=work, prefix="resample-") as temporary:
        folder = Path(temporary)
        before, after = _written(plan, folder / "plan.json"), _written(raised(plan), folder / "raised.json")
        curation = Side("full curation", "bench.curate.ours", (str(chunks), str(folder / "curated"), str(before)))
        curated = Curated(folder / "curated", after, run_alone(curation))
        candidates = TableStore(str(curated.folder / "assets")).read(TableKey("conversations", WINDOW))
        size = f"{candidates.height:,} candidates, {sum(cell.target for cell in plan.cells):,} of them chosen"
        return [
            kept_ids(candidates, plan, folder, size=size, runs=scale.runs),
            remaking(curated, raised(plan), folder, size=size, runs=scale.runs),
        ]


def _written(plan: Plan, path: Path) -> Path:
    path.write_text(json.dumps({"targets": plan.sample.targets, "salt": plan.sample.salt}))
    return path
