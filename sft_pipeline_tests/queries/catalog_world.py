"""The worlds that the production queries are asked about, and asking them.

Belongs here: raw events beside those of the scenario, and a folder of events with its engine; answers are asked once.
Does not belong here: what the answers must be.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.kusto.parameters import ParameterValue
from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.telemetry.events import write_events
from sft_pipeline_tests.cases.emission import BEGIN, Turn, conversation, output_call
from sft_pipeline_tests.cases.event import SECOND, Event
from sft_pipeline_tests.curation.test_blank_messages import INVISIBLE, VISIBLE
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START

WINDOW: dict[str, ParameterValue] = {"windowStart": WINDOW_START, "windowEnd": WINDOW_END}
CANDIDATES = "production/sft_candidates_hash_chunked"

TOOLS = {
    "tools-named": ('{"read_file":2,"run_in_terminal":3}', 2, 5),
    "tool-never-called": ('{"read_file":0}', 1, 0),
    "tool-count-as-text": ('{"read_file":"4"}', 1, 4),
    "tool-count-unknown": ('{"read_file":null,"edit":1}', 2, 1),
    "tool-in-quotes": ('{"invented \\"tool\\"":1,"edit":2}', 2, 3),
    "no-tools": ("{}", 0, 0),
    "tools-not-told": (None, 0, 0),
    "tools-not-json": ("read_file", 0, 0),
    "tools-in-a-list": ('["read_file"]', 0, 0),
}
"""Conversation -> toolCounts of its first turn, distinct tools and tool calls in it."""


LATE_CALL = "call-told-late"
"""The second call of its first turn is told after the call of its second turn."""


def opened_by(name: str, request: str, **fields: Any) -> tuple[Event, ...]:
    """A conversation of three turns that begins with this request."""
    return conversation(name, Turn(1, request, **fields), Turn(2), Turn(3))


def further_events() -> list[Event]:
    """Conversations that differ in their first turn: its request, its tools, a call told after the next turn's."""
    invisible = [opened_by(f"invisible-{number}", text) for number, text in enumerate(INVISIBLE)]
    visible = [opened_by(f"visible-{number}", text) for number, text in enumerate(VISIBLE)]
    tools = [opened_by(name, "Do it", tool_counts=counts) for name, (counts, *_) in TOOLS.items()]
    button = opened_by("opened-by-a-button", "Continue")
    late_call = output_call(LATE_CALL, f"{LATE_CALL}/1", BEGIN + 1300 * SECOND)
    late = (*opened_by(LATE_CALL, "Do it"), late_call)
    return [event for events in (*invisible, *visible, *tools, button, late) for event in events]


@dataclass(frozen=True, repr=False)
class Source:
    """Raw events in a folder, the engine on it, and the answers asked so far."""

    events: pl.DataFrame
    kusto: EmbeddedKusto
    answers: dict[object, pl.DataFrame] = field(default_factory=dict[object, pl.DataFrame])

    def ask(self, name: str, **parameters: ParameterValue) -> pl.DataFrame:
        """The answer of a query for the whole window, in one chunk unless told otherwise."""
        asked = {**WINDOW, "chunkCount": 1, **parameters}
        key = (name, *sorted(asked.items()))
        if key not in self.answers:
            self.answers[key] = self.kusto.execute(load_query(name), asked)
        return self.answers[key]


def source_in(folder: Path, events: pl.DataFrame) -> Source:
    """The events in this folder, ready to be asked about."""
    write_events(events, folder, part=0)
    return Source(events, EmbeddedKusto(folder, store=folder / "store", staged_chunks=4))
