"""Comparing answers: nested text becomes typed, and a difference is found and told without texts."""

import orjson
import polars as pl

from sft_pipeline.curation.tables import QUERY_COLUMNS
from sft_pipeline_tests.answers import ANSWER, first_difference, typed_answer
from sft_pipeline_tests.reference_curation import reference_candidates
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, WORLD, raw_events

WORLD_BY_NAME = {case.name: case for case in WORLD}
CASE = WORLD_BY_NAME["two-stores"]
REFERENCE = reference_candidates(raw_events(CASE.events), window_start=WINDOW_START, window_end=WINDOW_END)


def flat(*, nested_as_text: bool) -> pl.DataFrame:
    """The reference's answer as the query gives it: nested JSON text in another order, calls with a time."""
    row = REFERENCE.row(0, named=True)
    for turn in row["turnsArray"]:
        calls = [{**call, "time": f"{call['callIndex']:03d}"} for call in reversed(turn["llmCalls"])]
        turn["llmCalls"] = [orjson.dumps(call).decode() for call in calls] if nested_as_text else calls
    turns = [orjson.dumps(turn).decode() if nested_as_text else turn for turn in reversed(row["turnsArray"])]
    row |= {"models": orjson.dumps(row["models"]).decode(), "turnsArray": orjson.dumps(turns).decode()}
    return pl.DataFrame([row], schema=QUERY_COLUMNS)


def with_turns(expression: pl.Expr) -> pl.DataFrame:
    changed = pl.col("turnsArray").list.eval(pl.element().struct.with_fields(expression))
    return REFERENCE.with_columns(changed).match_to_schema(ANSWER)


def test_objects_nested_as_objects_and_as_text_read_alike() -> None:
    assert typed_answer(flat(nested_as_text=True)).equals(REFERENCE)
    assert typed_answer(flat(nested_as_text=False)).equals(REFERENCE)


def test_equal_answers_have_no_difference() -> None:
    assert not first_difference(REFERENCE, REFERENCE.clone())


def test_a_difference_names_the_conversation_the_field_and_both_values() -> None:
    other = REFERENCE.with_columns(llmCallCount=pl.lit(4, pl.Int64()))
    assert first_difference(REFERENCE, other) == "1 conversations differ; in 'two-stores', llmCallCount: 3 and 4"


def test_a_difference_inside_a_turn_is_found() -> None:
    other = with_turns(pl.field("llmCallCount") + pl.when(pl.field("turnIndex") == 2).then(5).otherwise(0))
    assert first_difference(REFERENCE, other).endswith("turnsArray[1].llmCallCount: 1 and 6")


def test_a_difference_of_long_texts_shows_their_lengths_only() -> None:
    other = with_turns(
        pl.field("userMessage") + pl.when(pl.field("turnIndex") == 1).then(pl.lit("!")).otherwise(pl.lit(""))
    )
    told = first_difference(REFERENCE, other)
    assert told.endswith("a text of 9000 characters and a text of 9001 characters (from character 9000 on)")


def test_a_missing_conversation_is_named() -> None:
    assert "'two-stores'" in first_difference(REFERENCE, REFERENCE.clear())
    assert "first answer" in first_difference(REFERENCE.clear(), REFERENCE)
