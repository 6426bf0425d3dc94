"""Rows against rules: finding those that break some, setting them apart with their errors, refusing to go on.

Belongs here: what becomes of rows that break rules. Does not belong here: the rules.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.rules import Rule
from sft_pipeline.curation.tables import RejectedConversation, schema_of
from sft_pipeline.curation.turns import expected_splits

IDS_SHOWN = 5
INVALID = "invalid"

VIOLATION_COLUMNS = pl.Schema(
    {
        "row": pl.get_index_type(),
        "conversationId": pl.String(),
        "rule": pl.String(),
        "severity": pl.String(),
        "message": pl.String(),
    }
)


class Judged(NamedTuple):
    """Rows that keep every fatal rule, and the others with their errors."""

    valid: pl.DataFrame
    rejected: pl.DataFrame


class InvalidRecordsError(Exception):
    """Records that break fatal rules were about to be written."""


def violations(frame: pl.DataFrame, rules: Sequence[Rule], plan: Plan) -> pl.DataFrame:
    """One row per broken rule and record, in the order of rules then rows.

    Returns:
        columns row, conversationId, rule, severity, message.
    """
    # Polars 2.1 panics in `format` over columns that are chunked differently.
    rows = frame.with_columns(expected_splits(frame, plan).alias("_expectedSplit")).rechunk().with_row_index("row")
    found = [
        rows.lazy()
        .filter(rule.broken.fill_null(value=True))
        .select(
            "row",
            "conversationId",
            rule=pl.lit(rule.name),
            severity=pl.lit(rule.severity),
            message=rule.message.fill_null(rule.statement),
        )
        for rule in rules
    ]
    return pl.concat([pl.DataFrame(schema=VIOLATION_COLUMNS), *pl.collect_all(found)])


def judge(frame: pl.DataFrame, rules: Sequence[Rule], plan: Plan) -> Judged:
    """Tell valid rows from those that break a fatal rule, which leave with all their errors."""
    errors = (
        violations(frame, [rule for rule in rules if rule.severity == "fatal"], plan)
        .group_by("row", maintain_order=True)
        .agg(pl.col("message").alias("errors"))
    )
    rows = frame.with_row_index("row")
    rejected = rows.join(errors, on="row", how="inner", maintain_order="left").with_columns(
        pl.col("conversationId").fill_null(""),
        pl.col("bucket").fill_null(""),
        dropReason=pl.lit(INVALID),
    )
    valid = rows.join(errors, on="row", how="anti", maintain_order="left").drop("row")
    return Judged(valid, rejected.select(schema_of(RejectedConversation).names()))


def require_valid(frame: pl.DataFrame, rules: Sequence[Rule], plan: Plan, *, name: str) -> None:
    """Refuse to go on with records that break a fatal rule.

    Raises:
        InvalidRecordsError: names each broken rule, how many records break it and up to five of their ids.
    """
    found = violations(frame, [rule for rule in rules if rule.severity == "fatal"], plan)
    if found.height:
        told = [
            f"{rule}: {rows.height} records, e.g. {', '.join(rows['conversationId'].head(IDS_SHOWN).fill_null('null'))}"
            for (rule,), rows in found.group_by("rule", maintain_order=True)
        ]
        raise InvalidRecordsError(f"{name} holds records that must not be published: {'; '.join(told)}")
