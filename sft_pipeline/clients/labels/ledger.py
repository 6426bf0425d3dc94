"""The ledger: what each judge was asked, what came of it, and what it cost.

Belongs here: adding up asks. Does not belong here: where they come from (store), how it is shown (commands.labels).
"""

from collections.abc import Iterable

import polars as pl

from sft_pipeline.curation.judging import Identity

LEDGER_COLUMNS: dict[str, pl.DataType] = {
    "judge": pl.String(),
    "prompt": pl.String(),
    "parameters": pl.String(),
    "asks": pl.Int64(),
    "labelled": pl.Int64(),
    "unlabelled": pl.Int64(),
    "promptTokens": pl.Int64(),
    "completionTokens": pl.Int64(),
    "cost": pl.Float64(),
    "first": pl.Datetime("us", "UTC"),
    "last": pl.Datetime("us", "UTC"),
}


def ledger_table(asks: Iterable[tuple[Identity, pl.DataFrame]]) -> pl.DataFrame:
    """A row per judge; every ask counts that was answered, for every one was paid."""
    empty = pl.DataFrame(schema=LEDGER_COLUMNS)
    return pl.concat([empty, *[_entry(identity, rows) for identity, rows in asks]])


def _entry(identity: Identity, rows: pl.DataFrame) -> pl.DataFrame:
    entry = rows.sort("at", "key", "attempt", "run").select(
        judge=pl.lit(identity.name),
        prompt=pl.lit(identity.prompt),
        parameters=pl.lit(identity.parameters),
        asks=pl.len(),
        labelled=pl.col("label").is_not_null().sum(),
        unlabelled=pl.col("label").is_null().sum(),
        promptTokens=pl.col("promptTokens").sum(),
        completionTokens=pl.col("completionTokens").sum(),
        cost=pl.col("cost").sum(),
        first=pl.col("at").min(),
        last=pl.col("at").max(),
    )
    return entry.cast(pl.Schema(LEDGER_COLUMNS))
