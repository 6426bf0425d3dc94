"""This project, without Dagster: `python -m bench.curate.ours CHUNKS OUT PLAN [--private]`.

The functions that the assets call, in the order of a walk, with every table stored on the way as a walk stores it: what
a crash leaves, another run goes on from. Partitions are made two at a time, as a backfill would make them. Nothing is
asked of Kusto: the chunk results are read from JSON lines.
`--private` makes pseudonyms of user names and redacts secrets, as plan `production` does; no peer has that work.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import polars as pl

from bench.inputs import END, QUERY
from bench.telling import tell
from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.publishing import Published, publish, upload_artifact
from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.extraction import curate_chunk, take_turns
from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.release import Curation, Source
from sft_pipeline.curation.rules import conversation_rules, split_rule
from sft_pipeline.curation.sampling import aggregate, cell_counts, choose
from sft_pipeline.curation.secrets import SECRET_KINDS, redaction_counts
from sft_pipeline.curation.sections import validation_counts
from sft_pipeline.curation.tables import QUERY_COLUMNS, REPAIRS
from sft_pipeline.curation.validating import require_valid
from sft_pipeline.plans import read_plan

WINDOW = END.isoformat()
KEY = b"bench"
AT_A_TIME = 2
"""Chunks, or cells: no more, so that memory stays flat."""

LIGHT = ("conversationId", "userName", "turnCount", "bucket", "split", "priority", "digest")
TIMES = ("firstTime", "lastTime")


def bench_plan(path: Path, files: int, *, private: bool) -> Plan:
    """Plan `production` with the targets of the benchmark, in as many chunks as there are files."""
    plan, told = read_plan("production"), json.loads(path.read_text())
    chunks = plan.chunks.model_copy(update={"count": files})
    privacy = plan.privacy if private else plan.privacy.model_copy(update={"user_names": "as_is", "secrets": "keep"})
    sample = plan.sample.model_copy(update={"targets": told["targets"], "salt": told["salt"]})
    return plan.model_copy(update={"chunks": chunks, "sample": sample, "privacy": privacy})


def chunk_rows(path: Path) -> pl.DataFrame:
    """The rows of a chunk as its query answers them."""
    lines = dict(QUERY_COLUMNS) | dict.fromkeys(TIMES, pl.String())
    times = [pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_unit="us", time_zone="UTC") for name in TIMES]
    return pl.read_ndjson(path, schema=lines).with_columns(times)


def curate_one(path: Path, number: int, tables: TableStore, plan: Plan) -> tuple[int, dict[str, int]]:
    """A chunk result to stored conversations and rejected ones; rows, and what the query repaired."""
    chunk = curate_chunk(chunk_rows(path), plan, chunk=number, key=KEY)
    stored = {"conversation_chunks": chunk.conversations, "rejected_conversations": chunk.rejected}
    for asset, table in stored.items():
        tables.write(TableKey(asset, WINDOW, path.stem), table, {"version": table_version(table)})
    return chunk.rows, chunk.repairs


def curate_all(chunks: Path, tables: TableStore, plan: Plan) -> tuple[int, dict[str, int]]:
    """All chunk results."""
    files = enumerate(sorted(chunks.glob("*.jsonl")))
    told = list(in_order(lambda one: curate_one(one[1], one[0], tables, plan), files, at_a_time=AT_A_TIME))
    repairs = {name: sum(repairs[name] for _, repairs in told) for name in REPAIRS}
    return sum(rows for rows, _ in told), repairs


def candidates_of(tables: TableStore) -> pl.DataFrame:
    """The deduplicated, ranked candidates of all chunks, stored."""
    light = tables.scan(tables.keys("conversation_chunks")).rename({"part": "chunk"}).select(*LIGHT, "chunk")
    candidates, _ = aggregate(light.collect())
    tables.write(TableKey("conversations", WINDOW), candidates, {"version": table_version(candidates)})
    return candidates


def sampled(tables: TableStore, plan: Plan, candidates: pl.DataFrame) -> None:
    """The sample of each cell, stored."""
    chunks = tables.scan(tables.keys("conversation_chunks")).drop("part")

    def take(cell: Cell) -> None:
        sample = take_turns(chunks, choose(candidates, cell))
        tables.write(TableKey("samples", WINDOW, cell.key), sample, {"version": table_version(sample)})

    for _ in in_order(take, plan.cells, at_a_time=AT_A_TIME):
        pass


@dataclass(frozen=True)
class Uploaded:
    """The file of a sample: its `Artifact` row, what its rules came to, the secrets that stand redacted."""

    artifact: pl.DataFrame
    validation: pl.DataFrame
    redacted: dict[str, int]


def uploaded(tables: TableStore, store: LocalReleaseStore, plan: Plan) -> Iterator[Uploaded]:
    """The file of each sample."""

    def upload(cell: Cell) -> Uploaded:
        key = TableKey("samples", WINDOW, cell.key)
        sample = tables.read(key)
        require_valid(sample, [*conversation_rules(plan), split_rule(cell.split)], plan, name=cell.key)
        artifact = upload_artifact(store, cell, sample, tables.notes(key)["version"])
        return Uploaded(artifact, validation_counts(sample, plan), redaction_counts(sample))

    return in_order(upload, plan.cells, at_a_time=AT_A_TIME)


def released(
    tables: TableStore, store: LocalReleaseStore, plan: Plan, candidates: pl.DataFrame, repairs: dict[str, int]
) -> Published:
    """The release of all files."""
    files = list(uploaded(tables, store, plan))
    query = load_query(QUERY)
    curation = Curation(
        plan=plan,
        source=Source("embedded", "telemetry", query.path, query.sha256),
        window=plan.bounds(END),
        artifacts=pl.concat([file.artifact for file in files]),
        counts=cell_counts(candidates, plan),
        rejected=tables.scan(tables.keys("rejected_conversations")).drop("part").collect(),
        validation=pl.concat([file.validation for file in files]),
        redacted={kind.name: sum(file.redacted[kind.name] for file in files) for kind in SECRET_KINDS},
        repairs=repairs,
        versions={"polars": version("polars")},
        run_id="bench",
    )
    return publish(store, curation, moment=datetime(2026, 11, 1, tzinfo=UTC))


def main() -> None:
    """Curate, and tell what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("chunks", "out", "plan"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--private", action="store_true")
    options = parser.parse_args()
    files = len(list(options.chunks.glob("*.jsonl")))
    plan = bench_plan(options.plan, files, private=options.private)
    tables, store = TableStore(str(options.out / "assets")), LocalReleaseStore(options.out / "releases")
    began = time.perf_counter()
    rows, repairs = curate_all(options.chunks, tables, plan)
    chunked = time.perf_counter()
    candidates = candidates_of(tables)
    sampled(tables, plan, candidates)
    taken = time.perf_counter()
    published = released(tables, store, plan, candidates, repairs)
    ended = time.perf_counter()
    counts = cell_counts(candidates, plan).select("split", "bucket", "have").iter_rows()
    answer = {
        "rows": rows,
        "valid": candidates.height,
        "taken": {f"{split}/{bucket}": have for split, bucket, have in counts},
        "release": published.url,
        "bytes": sum(file.bytes for file in published.files),
        "parts": {"chunks": chunked - began, "samples": taken - chunked, "release": ended - taken},
    }
    tell(ended - began, answer)


if __name__ == "__main__":
    main()
