"""What the candidates query must answer for what was made: one light row per conversation that it looks at.

Belongs here: the drop reason, turn count and bucket that follow from a conversation's plan.
Does not belong here: any reading of events.
"""

import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.population import Kind

INVALID = "invalid"
"""Kept by the query, rejected by a validation rule."""
DROP_REASONS: dict[Kind, str] = {
    Kind.CANDIDATE: "",
    Kind.BLANK_MESSAGE: INVALID,
    Kind.ONE_TURN: "too_few_turns",
    Kind.TWO_TURNS: "too_few_turns",
    Kind.MANY_TURNS: "too_many_turns",
    Kind.HEAD_MISSING: "head_missing",
    Kind.TURN_MISSING: "turn_missing",
    Kind.MODE_SWITCHED: "mode_switched",
    Kind.BRANCH_ABANDONED: "turns_out_of_order",
    Kind.SUBAGENT_UNMARKED: "turns_out_of_order",
    Kind.ID_BLANK: "no_conversation_id",
}
"""Kinds that are not here have no user message in agent mode: the query never looks at them."""

TRUTH = pl.Schema(
    {"conversationId": pl.String(), "dropReason": pl.String(), "turnCount": pl.Int64(), "bucket": pl.String()}
)


def expected_outcomes(conversations: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """One row per conversation; all that have no id are one, of unknown turnCount.

    Args:
        conversations: the plan of a batch.
        turns: its attempts, subagents too.
    """
    seen = turns.filter("isSent", ~pl.col("isHead"), ~pl.col("isLater"))
    counted = seen.group_by("conversation").agg(turnCount=pl.col("turnIndex").n_unique().cast(pl.Int64))
    reasons = {str(kind): reason for kind, reason in DROP_REASONS.items()}
    found = (
        conversations.with_columns(conversation=pl.int_range(pl.len()))
        .filter(pl.col("kind").is_in(list(reasons)))
        .join(counted, on="conversation", how="left", maintain_order="left")
    )
    blank = pl.col("kind") == Kind.ID_BLANK
    return found.select(
        conversationId=pl.when(blank).then(pl.lit("")).otherwise("conversationId"),
        dropReason=pl.col("kind").replace_strict(reasons, return_dtype=pl.String()),
        turnCount=pl.when(~blank).then("turnCount"),
        bucket=pl.when(blank).then(pl.lit("")).otherwise(_bucket()),
    ).unique(maintain_order=True)


def _bucket() -> pl.Expr:
    bucket: pl.Expr = pl.lit("")
    for name, (low, high) in rates.BUCKETS.items():
        bucket = pl.when(pl.col("turnCount").is_between(low, high)).then(pl.lit(name)).otherwise(bucket)
    return bucket
