"""Properties of the reference computation: neither the order of rows nor a second delivery changes an answer."""

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.telemetry.events import TOOL_CALL_DETAILS
from sft_pipeline_tests.answers import first_difference
from sft_pipeline_tests.reference_curation import reference_candidates
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, world_events

EVENTS = world_events()
ROW = st.integers(0, EVENTS.height - 1)
DELAYS = st.dictionaries(ROW, st.integers(0, 59), max_size=40)


def answer(events: pl.DataFrame) -> pl.DataFrame:
    return reference_candidates(events, window_start=WINDOW_START, window_end=WINDOW_END)


EXPECTED = answer(EVENTS)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    assert not first_difference(EXPECTED, answer(EVENTS.sample(fraction=1, shuffle=True, seed=seed)))


@settings(deadline=None, max_examples=20)
@given(delays=DELAYS)
def test_second_deliveries_change_nothing_but_the_number_of_duplicates(delays: dict[int, int]) -> None:
    again = delivered_later(delays)
    found = answer(pl.concat([again, EVENTS]))
    count = pl.lit(0).alias("duplicateMessages")
    assert not first_difference(EXPECTED.with_columns(count), found.with_columns(count))
    assert (found["duplicateMessages"] >= EXPECTED["duplicateMessages"]).all()


def delivered_later(delays: dict[int, int]) -> pl.DataFrame:
    """These rows once more, as many seconds later: tool call details at once, for the latest of them counts.

    Rows before the window stay there.
    """
    seconds = pl.Series(list(delays.values()), dtype=pl.Int64())
    later = pl.when((pl.col("Name") == TOOL_CALL_DETAILS) | (pl.col("TimeGenerated") < WINDOW_START)).then(0)
    delay = later.otherwise(seconds) * timedelta(seconds=1)
    return EVENTS[list(delays)].with_columns(pl.col("TimeGenerated") + delay)
