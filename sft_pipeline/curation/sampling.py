"""From candidates to exact stratified samples: bottom-k by priority in each cell.

Belongs here: dedup over chunks, ranking, choosing, and saying which cells cannot be filled.
Does not belong here: the hashes themselves (hashing), reading the chosen conversations' turns (orchestration).
"""

from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.tables import Candidate, schema_of


class Aggregated(NamedTuple):
    """The candidates of a window, ranked, and the rows that a second chunk held again."""

    candidates: pl.DataFrame
    duplicates: pl.DataFrame


def aggregate(chunks: pl.DataFrame) -> Aggregated:
    """Join the light rows of all chunks, one per conversationId, ranked within their cell.

    Hash chunks cannot overlap: a duplicate here means a chunk was cut wrongly, and the caller must say so. The copy
    with the lowest (chunk, digest) stays.
    """
    ordered = chunks.sort("priority", "conversationId", "chunk", "digest")
    first = ordered["conversationId"].is_first_distinct()
    rank = pl.int_range(pl.len(), dtype=pl.Int64()).over("split", "bucket")
    candidates = ordered.filter(first).with_columns(rank=rank).select(schema_of(Candidate).names())
    return Aggregated(candidates.sort("split", "bucket", "rank"), ordered.filter(~first))


def choose(candidates: pl.DataFrame, cell: Cell) -> pl.DataFrame:
    """The candidates of a cell that its sample takes: the lowest priorities up to the target, in that order."""
    of_cell = (pl.col("split") == cell.split) & (pl.col("bucket") == cell.bucket.name)
    return candidates.filter(of_cell & (pl.col("rank") < cell.target)).sort("rank")


def cell_counts(candidates: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """One row per cell of the plan: cell, split, bucket, want, have, candidates, margin (candidates / want)."""
    cells = pl.DataFrame(
        [(cell.key, cell.split, cell.bucket.name, cell.target) for cell in plan.cells],
        schema={"cell": pl.String, "split": pl.String, "bucket": pl.String, "want": pl.Int64},
        orient="row",
    )
    found = candidates.group_by("split", "bucket").agg(candidates=pl.len().cast(pl.Int64()))
    return cells.join(found, on=["split", "bucket"], how="left", maintain_order="left").select(
        "cell",
        "split",
        "bucket",
        "want",
        have=pl.min_horizontal("want", pl.col("candidates").fill_null(0)),
        candidates=pl.col("candidates").fill_null(0),
        margin=(pl.col("candidates").fill_null(0) / pl.col("want")).round(2),
    )


def require_filled(candidates: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """The cells that fall short, when the plan allows that.

    Raises:
        Refused: cells fall short and the plan does not allow it; each is named with want and have.
    """
    short = cell_counts(candidates, plan).filter(pl.col("have") < pl.col("want"))
    if short.height and not plan.sample.allow_shortfall:
        rows = short.select("cell", "want", "have").iter_rows()
        told = ", ".join(f"{cell} (want {want:,}, have {have:,})" for cell, want, have in rows)
        raise Refused(
            f"{short.height} of {len(plan.cells)} cells cannot be filled: {told}",
            remedy="widen window.days or lower the targets in the plan, or allow it with --allow-shortfall",
        )
    return short
