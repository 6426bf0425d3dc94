"""One small generation that the tests of this folder read."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from sft_pipeline.telemetry.events import events_folder
from sft_pipeline.telemetry.synthesis import TRUTH_FILE, GenerationSummary, generate
from sft_pipeline.telemetry.synthesis.observed import observed
from sft_pipeline_tests.reference_curation import reference_candidates

CANDIDATES = 2_000
END = date(2026, 11, 1)
DAYS = 3


class Generated(NamedTuple):
    summary: GenerationSummary
    folder: Path
    events: pl.DataFrame
    observed: pl.DataFrame
    truth: pl.DataFrame
    answer: pl.DataFrame
    start: datetime
    end: datetime


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    folder = tmp_path_factory.mktemp("telemetry")
    summary = generate(folder, conversations=CANDIDATES, seed=7, days=DAYS, end=END)
    events = pl.read_parquet(events_folder(folder) / "*.parquet")
    start, end = (datetime.combine(day, time(), UTC) for day in (date(2026, 10, 29), END))
    return Generated(
        summary,
        folder,
        events,
        observed(events, start=start, end=end),
        pl.read_parquet(folder / TRUTH_FILE),
        reference_candidates(events, window_start=start, window_end=end),
        start,
        end,
    )
