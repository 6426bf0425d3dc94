from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.queries.catalog import query_from_file
from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.telemetry.events import RAW_SCHEMA, write_events
from sft_pipeline_tests.live.settings import LiveSettings, live_settings
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, world_events

TODAY = date(2026, 11, 5)
NAMED = {"SFT_LIVE_CLUSTER": "https://c", "SFT_LIVE_DATABASE": "d"}


def settings(**variables: str) -> LiveSettings:
    found = live_settings(NAMED | variables, TODAY)
    assert found is not None
    return found


def test_without_a_cluster_there_is_nothing_to_do() -> None:
    assert live_settings({}, TODAY) is None
    assert live_settings({**NAMED, "SFT_LIVE_CLUSTER": ""}, TODAY) is None


def test_a_cluster_is_asked_for_a_small_part_of_the_last_whole_day() -> None:
    found = settings()
    assert (found.auth, found.load) == ("az_cli", False)
    assert found.parameters == {
        "windowStart": datetime(2026, 11, 4, tzinfo=UTC),
        "windowEnd": datetime(2026, 11, 5, tzinfo=UTC),
        "chunk": found.chunk,
        "chunkCount": 400,
    }


def test_an_empty_database_is_asked_for_the_whole_world_that_is_loaded() -> None:
    assert settings(SFT_LIVE_LOAD="1").parameters == {
        "windowStart": WINDOW_START,
        "windowEnd": WINDOW_END,
        "chunk": 0,
        "chunkCount": 1,
    }


def test_every_variable_goes_before_its_default() -> None:
    found = settings(
        SFT_LIVE_AUTH="none",
        SFT_LIVE_WINDOW="2026-10-02",
        SFT_LIVE_DAYS="3",
        SFT_LIVE_CHUNK_COUNT="7",
        SFT_LIVE_LOAD="1",
    )
    assert found == LiveSettings("https://c", "d", "none", date(2026, 10, 2), 3, 7, load=True)


@pytest.mark.parametrize("count", range(1, 60))
def test_the_chunk_exists_and_is_not_that_of_the_empty_id(count: int) -> None:
    chunk = settings(SFT_LIVE_CHUNK_COUNT=str(count)).chunk
    assert 0 <= chunk < count
    assert count == 1 or chunk != chunk_of("", count)


def test_a_download_holds_every_raw_event_of_its_chunk(tmp_path: Path) -> None:
    write_events(world_events(), tmp_path, part=0)
    kusto = EmbeddedKusto(tmp_path, store=tmp_path / "store", staged_chunks=3)
    query = query_from_file(Path(__file__).with_name("raw_events.kql"))
    window = {"windowStart": WINDOW_START, "windowEnd": WINDOW_END, "chunkCount": 3}
    chunks = [kusto.execute(query, {**window, "chunk": chunk}) for chunk in range(3)]
    inside = world_events().filter(pl.col("TimeGenerated").is_between(WINDOW_START, WINDOW_END, closed="left"))
    found = pl.concat(chunks).match_to_schema(RAW_SCHEMA)
    assert found.sort(found.columns).equals(inside.sort(inside.columns))
    assert all(chunk.height for chunk in chunks)
