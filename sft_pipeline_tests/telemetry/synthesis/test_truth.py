import polars as pl

from sft_pipeline.curation.rules import BLANK
from sft_pipeline.telemetry.synthesis.truth import INVALID
from sft_pipeline_tests.telemetry.synthesis.conftest import CANDIDATES, Generated


def test_the_rules_of_curation_give_every_conversation_the_outcome_it_was_made_for(generated: Generated) -> None:
    kept_by_the_query = pl.col("dropReason").replace(INVALID, "")
    expected = generated.truth.with_columns(dropReason=kept_by_the_query).sort("conversationId")
    identified = pl.col("conversationId") != ""
    columns = ["conversationId", "dropReason", "turnCount", "bucket"]
    answer = generated.answer.select(columns)
    assert answer.filter(identified).equals(expected.filter(identified).select(columns))
    assert answer.filter(~identified)["dropReason"].to_list() == ["no_conversation_id"]


def test_there_are_exactly_as_many_candidates_as_asked_for(generated: Generated) -> None:
    assert generated.truth.filter(dropReason="").height == CANDIDATES
    assert generated.summary.conversations == CANDIDATES
    assert sum(generated.summary.buckets.values()) == CANDIDATES


def test_only_conversations_made_invalid_have_a_user_message_that_nobody_sees(generated: Generated) -> None:
    asked = pl.col("turnsArray").list.eval(pl.element().struct.field("userMessage").str.contains(BLANK)).list.any()
    blank = generated.answer.filter(pl.col("dropReason") == "", asked)["conversationId"].to_list()
    assert blank == generated.truth.filter(dropReason=INVALID)["conversationId"].to_list()
    assert blank


def test_every_drop_reason_occurs_and_is_summed_up(generated: Generated) -> None:
    counts = dict(generated.truth.group_by("dropReason").len().iter_rows())
    assert counts == generated.summary.outcomes
    assert set(counts) == {
        "",
        "invalid",
        "no_conversation_id",
        "mode_switched",
        "head_missing",
        "turn_missing",
        "turns_out_of_order",
        "too_few_turns",
        "too_many_turns",
    }


def test_holes_hide_behind_retries_from_whoever_counts_messages(generated: Generated) -> None:
    holed = generated.answer.filter(dropReason="turn_missing")
    assert holed.filter(pl.col("turnCount") + pl.col("retriedTurns") == pl.col("maxTurnIndex")).height > 0
