"""Whole answers with wrong things in them: other columns, types, chunks. Numbers are those of the faults."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.kusto.chunk_queries import ChunkQueries
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.curation.extraction import CuratedChunk, curate_chunk, unread_columns
from sft_pipeline.curation.hashing import leading_digits
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import write_events
from sft_pipeline_tests.cases.emission import Turn, conversation
from sft_pipeline_tests.cases.event import with_properties
from sft_pipeline_tests.faults.fault_world import CANDIDATES, COUNT, FaultWorld, OneScan, chunk_queries
from sft_pipeline_tests.scenario import raw_events
from sft_pipeline_tests.stand_in import Answers, stand_in
from sft_pipeline_tests.stand_in.answers import Engine
from sft_pipeline_tests.stand_in.literals import Value

CHUNK = 1
UNSHOWN = "Question 1"
Rows = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Changed:
    """An engine whose conversations, and their number where that is given, are changed on their way out."""

    engine: Engine
    change: Callable[[pl.DataFrame, int, int], pl.DataFrame]
    database: str = "changed"
    counts_change_too: bool = False

    def execute(self, query: Query, parameters: Mapping[str, Value]) -> pl.DataFrame:
        """The changed answer of a chunk; what is changed is the answer for all conversations."""
        if query.sha256 == COUNT.sha256 and not self.counts_change_too:
            return self.engine.execute(query, parameters)
        everything = {**parameters, "minTurns": 3, "maxTurns": 5, "chunk": 0, "chunkCount": 1}
        chunk, count = int(str(parameters["chunk"])), int(str(parameters["chunkCount"]))
        rows = self.change(self.engine.execute(CANDIDATES, everything), chunk, count)
        return rows if query.sha256 == CANDIDATES.sha256 else rows.select(conversations=pl.len().cast(pl.Int64))


@contextmanager
def asked(engine: Engine, folder: Path) -> Generator[ChunkQueries, None, None]:
    """The real client on a service that answers as the engine does."""
    with stand_in(Answers(engine, folder)) as service, chunk_queries(service) as queries:
        yield queries


def own(rows: pl.DataFrame, chunk: int, count: int, *, salt: str = "chunk") -> pl.DataFrame:
    """The conversations of a chunk; by another salt, of what another rule takes for it."""
    mine = [leading_digits(salt, name, 8) % count == chunk for name in rows["conversationId"]]
    return rows.filter(pl.Series(mine, dtype=pl.Boolean))


def half_as_many(rows: pl.DataFrame, chunk: int, count: int) -> pl.DataFrame:
    """What a service gives that knows half as many chunks."""
    return own(rows, chunk % (count // 2), count // 2)


def salted_otherwise(rows: pl.DataFrame, chunk: int, count: int) -> pl.DataFrame:
    """What a service gives whose hashes are others."""
    return own(rows, chunk, count, salt="other")


def changed_rows(scan: OneScan, change: Rows) -> Changed:
    return Changed(scan, lambda rows, chunk, count: change(own(rows, chunk, count)))


class TestSchemaDrift:
    def test_fault_15_a_new_column_is_named_and_changes_nothing(self, world: FaultWorld, tmp_path: Path) -> None:
        engine = changed_rows(world.scan, lambda rows: rows.with_columns(novelty=pl.lit("new")))
        with asked(engine, tmp_path) as queries:
            answer = queries.take(CANDIDATES, world.parameters(CHUNK))
        assert unread_columns(answer.rows) == ["novelty"]
        assert world.curated(answer.rows, CHUNK) == world.truth[CHUNK]

    def test_fault_15_a_missing_column_is_refused_by_name(self, world: FaultWorld, tmp_path: Path) -> None:
        with asked(changed_rows(world.scan, lambda rows: rows.drop("capturedTurnCount")), tmp_path) as queries:
            answer = queries.take(CANDIDATES, world.parameters(CHUNK))
        with pytest.raises(Refused, match=r"capturedTurnCount \(missing, not Int64\)"):
            world.curated(answer.rows, CHUNK)


class TestWrongTypes:
    def test_fault_16_a_column_of_another_type_is_refused_by_name(self, world: FaultWorld, tmp_path: Path) -> None:
        not_a_number = pl.lit(float("nan")).alias("promptTokens")
        with asked(changed_rows(world.scan, lambda rows: rows.with_columns(not_a_number)), tmp_path) as queries:
            answer = queries.take(CANDIDATES, world.parameters(CHUNK))
        with pytest.raises(Refused, match=r"promptTokens \(Float64, not Int64\)"):
            world.curated(answer.rows, CHUNK)

    def test_fault_16_a_turn_index_that_is_text_is_refused_without_showing_the_conversation(
        self, world: FaultWorld, tmp_path: Path
    ) -> None:
        # Escaped quotes as well: the embedded engine nests turns as strings.
        as_text = pl.col("turnsArray").str.replace_all(r'(\\?")turnIndex(\\?"):\s*(\d+)', "${1}turnIndex${2}:${1}x${2}")
        with asked(changed_rows(world.scan, lambda rows: rows.with_columns(as_text)), tmp_path) as queries:
            answer = queries.take(CANDIDATES, world.parameters(CHUNK))
        with pytest.raises(Refused, match="turnsArray holds something else than turns in") as raised:
            world.curated(answer.rows, CHUNK)
        candidates = answer.rows.filter(pl.col("dropReason") == "")
        assert any(name in raised.value.what for name in candidates["conversationId"])
        assert "userMessage" not in str(raised.value)

    def test_fault_16_raw_events_of_wrong_types_drop_their_conversation_alone(
        self, world: FaultWorld, tmp_path: Path
    ) -> None:
        odd = with_properties(conversation("odd-index", Turn(3)), "user", turnIndex="three")
        real = with_properties(conversation("real-index", Turn(3)), "user", turnIndex="NaN")
        events = (
            *conversation("odd-index", Turn(1), Turn(2), Turn(4)),
            *odd,
            *conversation("real-index", Turn(1), Turn(2), Turn(4)),
            *real,
            *conversation("good", Turn(1), Turn(2), Turn(3)),
        )
        write_events(raw_events(events), tmp_path / "telemetry", part=0)
        engine = OneScan(EmbeddedKusto(tmp_path / "telemetry", store=tmp_path / "store", staged_chunks=4))
        with asked(engine, tmp_path) as queries:
            chunks = [curated(world, queries, chunk) for chunk in range(4)]
        kept = [name for chunk in chunks for name in chunk.conversations["conversationId"]]
        dropped = pl.concat([chunk.rejected for chunk in chunks])
        assert kept == ["good"]
        assert dict(dropped.select("conversationId", "dropReason").iter_rows()) == {
            "odd-index": "turn_missing",
            "real-index": "turn_missing",
        }


class TestOverlap:
    """Fault 19: a service that tells chunks apart by another rule than we."""

    def test_fault_19_a_chunk_of_half_as_many_chunks_is_noticed_by_its_count(
        self, world: FaultWorld, tmp_path: Path
    ) -> None:
        engine = Changed(world.scan, half_as_many)
        with (
            asked(engine, tmp_path) as queries,
            pytest.raises(KustoQueryFailed, match=r"chunk 1-of-4 .* conversations, but the cluster counts"),
        ):
            queries.take(CANDIDATES, world.parameters(CHUNK))

    @pytest.mark.parametrize("rule", [half_as_many, salted_otherwise])
    def test_fault_19_conversations_of_another_chunk_refuse_the_chunk_by_name(
        self, world: FaultWorld, tmp_path: Path, rule: Callable[[pl.DataFrame, int, int], pl.DataFrame]
    ) -> None:
        engine = Changed(world.scan, rule, counts_change_too=True)
        with asked(engine, tmp_path) as queries:
            rows = queries.take(CANDIDATES, world.parameters(CHUNK)).rows
        foreign = [name for name in rows["conversationId"] if name not in world.ids[CHUNK]]
        with pytest.raises(Refused, match=f"{len(foreign)} of {rows.height} conversations .* chunk 1 of 4") as raised:
            curate_chunk(rows, world.plan, chunk=CHUNK)
        assert foreign[0] in raised.value.what


def curated(world: FaultWorld, queries: ChunkQueries, chunk: int) -> CuratedChunk:
    rows = queries.take(CANDIDATES, world.parameters(chunk)).rows
    return curate_chunk(rows, world.plan, chunk=chunk)
