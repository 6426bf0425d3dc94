"""The production query on the embedded engine against the reference computation, field by field."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.curation.tables import QUERY_COLUMNS
from sft_pipeline.telemetry.events import RAW_SCHEMA, events_folder, write_events
from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline_tests.answers import first_difference, typed_answer
from sft_pipeline_tests.reference_curation import reference_candidates
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, world_events

END = date(2026, 11, 1)
DAYS = 15


@dataclass(frozen=True, repr=False)
class Source:
    """Raw events in a folder, and the reference's answer to them."""

    telemetry: Path
    kusto: EmbeddedKusto
    expected: pl.DataFrame
    chunks: dict[tuple[int, int], pl.DataFrame] = field(default_factory=dict[tuple[int, int], pl.DataFrame])

    def chunk(self, chunk: int, count: int) -> pl.DataFrame:
        """The query's own answer for one chunk of this many; asked once."""
        if (chunk, count) not in self.chunks:
            window = {"windowStart": WINDOW_START, "windowEnd": WINDOW_END}
            query = load_query("production/sft_candidates_hash_chunked")
            self.chunks[chunk, count] = self.kusto.execute(query, {**window, "chunk": chunk, "chunkCount": count})
        return self.chunks[chunk, count]

    def answer(self, count: int) -> pl.DataFrame:
        """The answers for all chunks together."""
        return typed_answer(pl.concat(self.chunk(chunk, count) for chunk in range(count)))


def events_of(telemetry: Path) -> pl.DataFrame:
    return pl.read_parquet(events_folder(telemetry) / "*.parquet").match_to_schema(RAW_SCHEMA)


def source(telemetry: Path) -> Source:
    expected = reference_candidates(events_of(telemetry), window_start=WINDOW_START, window_end=WINDOW_END)
    return Source(telemetry, EmbeddedKusto(telemetry, store=telemetry / "store"), expected)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The hand-written world."""
    folder = tmp_path_factory.mktemp("written")
    write_events(world_events(), folder, part=0)
    return source(folder)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Synthetic telemetry with every quirk at its natural rate."""
    folder = tmp_path_factory.mktemp("synthetic")
    generate(folder, conversations=600, seed=7, days=DAYS, end=END)
    return source(folder)


@pytest.fixture(scope="module")
def lossy(synthetic: Source, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Synthetic telemetry of which every twentieth event got lost: holes that no generator thought of."""
    folder = tmp_path_factory.mktemp("lossy")
    write_events(events_of(synthetic.telemetry).sample(fraction=0.95, seed=7), folder, part=0)
    return source(folder)


def test_both_windows_are_the_same() -> None:
    end = datetime(END.year, END.month, END.day, tzinfo=UTC)
    assert (end - timedelta(days=DAYS), end) == (WINDOW_START, WINDOW_END)


@pytest.mark.parametrize(
    ("name", "count"), [("written", 1), ("written", 4), ("synthetic", 1), ("synthetic", 4), ("lossy", 1)]
)
def test_every_field_of_every_conversation_agrees(request: pytest.FixtureRequest, name: str, count: int) -> None:
    asked: Source = request.getfixturevalue(name)
    difference = first_difference(asked.expected, asked.answer(count))
    assert difference == ""


def test_the_generator_meant_what_the_reference_finds(synthetic: Source) -> None:
    meant = pl.read_parquet(synthetic.telemetry / "truth.parquet").sort("conversationId")
    found = synthetic.expected.select(meant.columns)
    # What only a validation rule rejects is a candidate here; turns without a conversationId are not counted there.
    assert found["conversationId"].equals(meant["conversationId"])
    assert found["dropReason"].equals(meant["dropReason"].replace({"invalid": ""}))
    assert found["bucket"].equals(meant["bucket"])
    assert found.filter(meant["turnCount"].is_not_null())["turnCount"].equals(meant["turnCount"].drop_nulls())


def test_the_columns_are_those_that_the_pipeline_reads(written: Source) -> None:
    assert written.chunk(0, 1).select(QUERY_COLUMNS.names()).schema == QUERY_COLUMNS


def test_every_chunk_has_its_own_conversations(synthetic: Source) -> None:
    chunks = [synthetic.chunk(chunk, 4) for chunk in range(4)]
    assert all(chunk.height for chunk in chunks)
    assert pl.concat(chunks)["conversationId"].is_unique().all()
