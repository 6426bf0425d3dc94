"""What must come before what, and where the window's edges cut."""

import polars as pl

from sft_pipeline.telemetry.events import ENGINE_MESSAGES, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.synthesis.observed import orphan_finals, user_rows
from sft_pipeline_tests.telemetry.synthesis.conftest import Generated


def test_a_turn_that_succeeded_gets_its_own_final(generated: Generated) -> None:
    turns = generated.answer.filter(dropReason="").select("turnsArray", "finalMessages")
    succeeded = pl.element().struct.field("responseType").fill_null("success") == "success"
    expected = turns["turnsArray"].list.eval(succeeded).list.sum()
    assert turns["finalMessages"].equals(expected.cast(pl.Int64), check_names=False)


def test_a_subagents_final_comes_before_its_parent_ends(generated: Generated) -> None:
    calls = generated.observed.filter(pl.col("Name") == ENGINE_MESSAGES)
    marked = calls.filter(subType="subagent")
    runs = marked.group_by("conversationId").agg(
        begin=pl.col("TimeGenerated").min(), last=pl.col("TimeGenerated").max()
    )
    finals = orphan_finals(generated.observed).filter(pl.col("turnIndex") == 1)
    inner = (
        finals.join(runs, on="conversationId")
        .filter(pl.col("TimeGenerated").is_between("last", pl.col("last") + pl.duration(milliseconds=500)))
        .group_by("conversationId")
        .agg(pl.col("TimeGenerated").min().alias("final"))
    )
    own = calls.filter(pl.col("subType").is_null(), message_direction="output")
    later = inner.join(own, on="conversationId").filter(pl.col("TimeGenerated") > pl.col("final"))
    assert inner.height > 0
    assert later["conversationId"].n_unique() == inner.height


def test_candidates_lie_within_the_window_but_for_turns_it_misses(generated: Generated) -> None:
    candidates = generated.truth.filter(dropReason="").select("conversationId", "turnCount")
    events = generated.observed.join(candidates, on="conversationId")
    assert not events["isBefore"].any()
    after = user_rows(events).filter(pl.col("isAfter"))
    assert after.height > 0
    assert (after["turnIndex"] >= after["turnCount"]).all()


def test_some_heads_lie_before_the_window_and_some_are_nowhere(generated: Generated) -> None:
    headless = generated.truth.filter(dropReason="head_missing").select("conversationId")
    messages = user_rows(generated.observed).join(headless, on="conversationId")
    known = messages.filter(pl.col("isBefore"))["conversationId"].n_unique()
    assert 0 < known < headless.height
    assert messages.filter(~pl.col("isBefore"))["turnIndex"].min() == 1


def test_a_turns_metrics_come_after_its_calls(generated: Generated) -> None:
    rows = generated.observed.filter(pl.col("messageId").is_not_null())
    ends = rows.filter(Name=TOOL_CALL_DETAILS).group_by("messageId").agg(end=pl.col("TimeGenerated").max())
    outputs = (
        rows.filter(message_direction="output").group_by("messageId", "modelCallId").agg(pl.col("TimeGenerated").min())
    )
    assert outputs.join(ends, on="messageId").filter(pl.col("TimeGenerated") > pl.col("end")).is_empty()
