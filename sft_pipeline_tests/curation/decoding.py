"""Both ways of nesting turns, and one conversation's way through `decode`."""

from collections.abc import Callable, Sequence

import pytest

from sft_pipeline.curation.turns import decode
from sft_pipeline_tests.conversations_world import (
    Row,
    nested_as_objects,
    nested_as_strings,
    query_row,
    query_rows,
)

Nest = Callable[[Sequence[Row]], str]
both_nestings = pytest.mark.parametrize("nest", [nested_as_objects, nested_as_strings])


def decoded_turns(text: str | None) -> list[Row]:
    """The curated turns of one conversation with this `turnsArray`."""
    return decode(query_rows(query_row("c-1", turnsArray=text))).candidates["turnsArray"].to_list()[0]


def calls_of(turns: Sequence[Row]) -> list[Row]:
    """The calls of all turns."""
    return [call for turn in turns for call in turn["llmCalls"]]
