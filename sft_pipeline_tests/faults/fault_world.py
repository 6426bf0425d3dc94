"""A small plan of four chunks, what each of them must come to, and clients that do not wait long.

Belongs here: values that the tests of faults start from. Does not belong here: assertions.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl
from azure.kusto.data import KustoConnectionStringBuilder

from sft_pipeline.clients.kusto.chunk_queries import ChunkQueries
from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.retries import Retries
from sft_pipeline.clients.kusto.slots import Slots
from sft_pipeline.clients.queries.catalog import Query, load_query
from sft_pipeline.curation.extraction import CuratedChunk, chunk_parameters, curate_chunk
from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.orchestration.resources import COUNT_QUERY
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.stand_in import Answers, Asked, Service, Where
from sft_pipeline_tests.stand_in.answers import Engine
from sft_pipeline_tests.stand_in.literals import Value

WINDOW = date(2026, 11, 1)
KEY = WINDOW.isoformat()
CONVERSATIONS = 60

PLAN_TEXT = """
name = "faulty"
query = "production/sft_candidates_hash_chunked"
window = { days = 15, first_day = 2026-10-01 }
chunks = { count = 4 }
split = { by = "none", shares = { all = 100 } }
buckets = [{ name = "short", turns = [3, 5] }]
privacy = { user_names = "as_is" }
release = { prefix = "faulty", stamp_format = "%Y%m%d_%H%M%S", data_source = "synthetic" }

[sample]
salt = "t1"
allow_shortfall = false
targets.all = { short = 12 }
"""

CANDIDATES = load_query("production/sft_candidates_hash_chunked")
COUNT = load_query(COUNT_QUERY)

QUICK = Retries(attempts=6, first_seconds=0.001, longest_seconds=0.002)
"""As patient as in production, in milliseconds."""

Versions = tuple[str, str]
"""The content versions of a chunk's conversations and of its rejected ones."""


@dataclass(frozen=True)
class OneScan:
    """An engine that asks for all conversations once, and tells and counts those of a chunk in Python.

    A hundred runs ask for many parts of chunks; the embedded engine takes a second for each.
    """

    engine: Engine
    _whole: dict[str, pl.DataFrame] = field(default_factory=dict[str, pl.DataFrame])
    _lock: Lock = field(default_factory=Lock)

    @property
    def database(self) -> str:
        """The engine's."""
        return self.engine.database

    def execute(self, query: Query, parameters: Mapping[str, Value]) -> pl.DataFrame:
        """The rows of a chunk, or how many there are."""
        if query.sha256 not in {CANDIDATES.sha256, COUNT.sha256}:
            return self.engine.execute(query, parameters)
        everything = {"minTurns": 3, "maxTurns": 5, **parameters, "chunk": 0, "chunkCount": 1}
        key = str(sorted((name, str(value)) for name, value in everything.items()))
        with self._lock:
            if key not in self._whole:
                self._whole[key] = self.engine.execute(CANDIDATES, everything)
        rows = in_chunk(self._whole[key], int(str(parameters["chunk"])), int(str(parameters["chunkCount"])))
        return rows if query.sha256 == CANDIDATES.sha256 else rows.select(conversations=pl.len().cast(pl.Int64))


def in_chunk(rows: pl.DataFrame, chunk: int, count: int) -> pl.DataFrame:
    """The rows whose conversations belong to a chunk."""
    mine = [chunk_of(conversation, count) == chunk for conversation in rows["conversationId"]]
    return rows.filter(pl.Series(mine, dtype=pl.Boolean))


@dataclass(frozen=True)
class FaultWorld:
    """Telemetry, a plan, the service's answers and the truth.

    Args:
        telemetry: raw events.
        plan: four chunks, one cell.
        plan_path: its file.
        scan: the embedded engine, asked once.
        answers: what services answer.
        truth: the versions of each chunk, from the engine without any service.
        ids: the conversations of each chunk.
    """

    telemetry: Path
    plan: Plan
    plan_path: Path
    scan: OneScan
    answers: Answers
    truth: tuple[Versions, ...]
    ids: tuple[tuple[str, ...], ...]

    def parameters(self, chunk: int) -> Mapping[str, Any]:
        """The parameters of a chunk's query."""
        return chunk_parameters(self.plan, WINDOW, chunk=chunk)

    def curated(self, rows: pl.DataFrame, chunk: int) -> Versions:
        """What the rows of a chunk come to."""
        return versions(curate_chunk(rows, self.plan, chunk=chunk))


def fault_world(telemetry: Path, engine: Engine, folder: Path) -> FaultWorld:
    """The world of a telemetry folder.

    Args:
        telemetry: raw events of the window.
        engine: the embedded one over them.
        folder: for what is written on the way.
    """
    path = folder / "faulty.toml"
    path.write_text(PLAN_TEXT, encoding="utf-8")
    plan, scan = read_plan(str(path)), OneScan(engine)
    chunks = range(plan.chunks.count)
    rows = [scan.execute(CANDIDATES, chunk_parameters(plan, WINDOW, chunk=chunk)) for chunk in chunks]
    truth = [versions(curate_chunk(rows[chunk], plan, chunk=chunk)) for chunk in chunks]
    ids = [tuple(sorted(frame["conversationId"])) for frame in rows]
    return FaultWorld(telemetry, plan, path, scan, Answers(scan, folder), tuple(truth), tuple(ids))


def versions(chunk: CuratedChunk) -> Versions:
    """The content versions of what a chunk came to."""
    return table_version(chunk.conversations), table_version(chunk.rejected)


@contextmanager
def cluster(
    service: Service,
    *,
    retries: Retries = QUICK,
    slots: int = 5,
    connect: Callable[[], KustoConnectionStringBuilder] | None = None,
) -> Generator[ClusterKusto, None, None]:
    """The real client of a service."""
    kusto = ClusterKusto(
        service.url, service.database, auth="none", slots=Slots(slots), retries=retries, connect=connect
    )
    try:
        yield kusto
    finally:
        kusto.close()


@contextmanager
def chunk_queries(service: Service, *, retries: Retries = QUICK, slots: int = 5) -> Generator[ChunkQueries, None, None]:
    """The chunk queries of a service, counted as in production."""
    with cluster(service, retries=retries, slots=slots) as kusto:
        yield ChunkQueries(kusto, COUNT)


def candidates_of(chunk: int, count: int = 4) -> Where:
    """Whether a request is for the conversations of a chunk, or of a part of it."""

    def matches(asked: Asked) -> bool:
        number, parts = asked.parameters.get("chunk"), asked.parameters.get("chunkCount")
        is_part = isinstance(number, int) and isinstance(parts, int) and parts % count == 0 and number % count == chunk
        return is_part and asked.query_hash == CANDIDATES.sha256

    return matches


def counts(asked: Asked) -> bool:
    """Whether a request counts conversations."""
    return asked.query_hash == COUNT.sha256


def candidates(asked: Asked) -> bool:
    """Whether a request asks for conversations."""
    return asked.query_hash == CANDIDATES.sha256
