"""What benchmarks work on: synthetic telemetry, and the answers of the production query as JSON lines. Made once.

Belongs here: making inputs, and finding those that lie there from before. Nothing here is timed.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.queries.catalog import Query, load_query
from sft_pipeline.curation.extraction import chunk_parameters
from sft_pipeline.curation.plan import Plan
from sft_pipeline.plans import read_plan

END = date(2026, 11, 1)
SEED = 7
CANDIDATES_IN_PRODUCTION = 335_000
QUERY = "production/sft_candidates_hash_chunked"


def telemetry(work: Path, conversations: int) -> Path:
    """Raw events with so many candidates in the 15 days before `END`."""
    size = ("--conversations", str(conversations), "--seed", str(SEED), "--end", END.isoformat())
    command = str(Path(sys.executable).with_name("sft-pipeline"))
    return _made(
        work / str(conversations) / "telemetry",
        lambda folder: subprocess.run(
            [command, "telemetry", "generate", *size, "--out", str(folder)], check=True, capture_output=True
        ),
    )


def chunk_answers(work: Path, conversations: int) -> Path:
    """The candidates of all chunks as the query answers: `00.jsonl` ..., a row a line, `turnsArray` as JSON text.

    Times are ISO 8601 in UTC; rows that the query itself drops are left out.
    """
    raw = telemetry(work, conversations)

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        plan, query = scaled_plan(conversations), load_query(QUERY)
        kusto = EmbeddedKusto(raw, store=work / str(conversations) / "store", staged_chunks=plan.chunks.count)
        for chunk in range(plan.chunks.count):
            _candidates(kusto, query, plan, chunk).write_ndjson(folder / f"{chunk:02d}.jsonl")

    return _made(work / str(conversations) / "chunks", make)


def scaled_plan(conversations: int, **changes: object) -> Plan:
    """Plan `production` with its targets scaled to the number of candidates; `changes` replace sections of it."""
    plan = read_plan("production")
    share = min(1.0, conversations / CANDIDATES_IN_PRODUCTION)
    targets = {
        split: {bucket: int(target * share) for bucket, target in row.items()}
        for split, row in plan.sample.targets.items()
    }
    return plan.model_copy(update={"sample": plan.sample.model_copy(update={"targets": targets}), **changes})


def _candidates(kusto: EmbeddedKusto, query: Query, plan: Plan, chunk: int) -> pl.DataFrame:
    rows = kusto.execute(query, chunk_parameters(plan, END, chunk=chunk))
    times = [pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") for name in ("firstTime", "lastTime")]
    return rows.filter(dropReason="").sort("conversationId").with_columns(times)


def _made(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder that is there whole or not at all."""
    if not folder.exists():
        unfinished = folder.with_name(f".{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder
