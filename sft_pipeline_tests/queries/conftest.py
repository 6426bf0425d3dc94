"""What several modules ask the production queries about; answers are asked once."""

from datetime import date

import polars as pl
import pytest

from sft_pipeline.telemetry.events import RAW_SCHEMA, events_folder
from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline_tests.queries.catalog_world import Source, further_events, source_in
from sft_pipeline_tests.queries.nested import expected_nested
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, raw_events, world_events


@pytest.fixture(scope="session")
def production_world(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The hand-written world, and conversations of every kind of first turn."""
    events = pl.concat([world_events(), raw_events(further_events())])
    return source_in(tmp_path_factory.mktemp("world"), events)


@pytest.fixture(scope="session")
def lossy_telemetry(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Synthetic telemetry of which every twentieth event got lost."""
    whole = tmp_path_factory.mktemp("whole")
    generate(whole, conversations=250, seed=7, days=15, end=date(2026, 11, 1))
    events = pl.read_parquet(events_folder(whole) / "*.parquet").match_to_schema(RAW_SCHEMA)
    return source_in(tmp_path_factory.mktemp("lossy"), events.sample(fraction=0.95, seed=7))


@pytest.fixture(scope="session")
def expected_conversations(production_world: Source) -> pl.DataFrame:
    return expected_nested(production_world.events, window_start=WINDOW_START, window_end=WINDOW_END)
