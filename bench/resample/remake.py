"""A raised target, from the tables of a full curation: `python -m bench.resample.remake CURATED OUT PLAN CELL`.

PLAN has the raised target. Done anew is what the asset graph would do anew for that cell: its ids, its sample table and
its file with the checks of the records. Chunks, candidates and the other cells stay as they lie in CURATED. OUT is
emptied first, untimed.
"""

import argparse
import shutil
import time
from pathlib import Path

from bench.curate.ours import WINDOW, bench_plan
from bench.telling import tell
from sft_pipeline.clients.publishing import upload_artifact
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.extraction import take_turns
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.rules import conversation_rules, split_rule
from sft_pipeline.curation.sampling import choose, require_filled
from sft_pipeline.curation.secrets import redaction_counts
from sft_pipeline.curation.sections import validation_counts
from sft_pipeline.curation.validating import require_valid


def remake(curated: TableStore, out: Path, plan: Plan, cell_key: str) -> tuple[str, dict[str, float]]:
    """The path of the cell's new file, and the seconds of each step."""
    cell, tables, store = plan.cell(cell_key), TableStore(str(out / "assets")), LocalReleaseStore(out / "releases")
    moments = [time.perf_counter()]
    candidates = curated.read(TableKey("conversations", WINDOW))
    require_filled(candidates, plan)
    chosen = choose(candidates, cell)
    moments.append(time.perf_counter())
    sample = take_turns(curated.scan(curated.keys("conversation_chunks")).drop("part"), chosen)
    moments.append(time.perf_counter())
    sample_version = table_version(sample)
    tables.write(TableKey("samples", WINDOW, cell.key), sample, {"version": sample_version})
    moments.append(time.perf_counter())
    require_valid(sample, [*conversation_rules(plan), split_rule(cell.split)], plan, name=cell.key)
    validation_counts(sample, plan)
    redaction_counts(sample)
    moments.append(time.perf_counter())
    artifact = upload_artifact(store, cell, sample, sample_version)
    moments.append(time.perf_counter())
    steps = ("choose", "take turns", "store table", "check records", "write file")
    seconds = {step: moments[place + 1] - moments[place] for place, step in enumerate(steps)}
    return artifact["url"][0], seconds


def main() -> None:
    """Remake, and tell where the file lies and what each step took."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("curated", "out", "plan"):
        parser.add_argument(name, type=Path)
    parser.add_argument("cell")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    curated = TableStore(str(options.curated / "assets"))
    plan = bench_plan(options.plan, len(curated.keys("conversation_chunks")), private=False)
    url, steps = remake(curated, options.out, plan, options.cell)
    tell(sum(steps.values()), {"file": url.removeprefix("file://"), "steps": steps})


if __name__ == "__main__":
    main()
