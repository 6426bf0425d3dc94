"""One hand-written world of raw events: a conversation per quirk, each with what must become of it.

Belongs here: the world as a whole. Cases stand in `cases/`, with what the client sends (`cases/emission.py`).
Does not belong here: synthetic telemetry in bulk (sft_pipeline.telemetry.synthesis).
"""

from collections.abc import Iterable

import polars as pl

from sft_pipeline.telemetry.events import RAW_SCHEMA
from sft_pipeline_tests.cases.attempts import ATTEMPTS
from sft_pipeline_tests.cases.calls import METRICS
from sft_pipeline_tests.cases.case import Case
from sft_pipeline_tests.cases.emission import WINDOW_END, WINDOW_START
from sft_pipeline_tests.cases.event import Event
from sft_pipeline_tests.cases.holes import HOLES
from sft_pipeline_tests.cases.scope import SCOPE
from sft_pipeline_tests.cases.texts import TEXTS

__all__ = ["WINDOW_END", "WINDOW_START", "WORLD", "Case", "raw_events", "world_events"]

WORLD: tuple[Case, ...] = (*SCOPE, *HOLES, *TEXTS, *ATTEMPTS, *METRICS)


def world_events() -> pl.DataFrame:
    """All events of the world, columns of `RAW_SCHEMA`."""
    return raw_events(event for case in WORLD for event in case.events)


def raw_events(events: Iterable[Event]) -> pl.DataFrame:
    """Events as the table in which they arrive."""
    return pl.DataFrame([event.row() for event in events], schema=RAW_SCHEMA)
