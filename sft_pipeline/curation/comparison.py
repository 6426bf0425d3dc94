"""Two releases side by side: which conversations came, went, moved, changed and stayed as they were.

Belongs here: the comparison of ids and digests, its counts, and what differs in two metadata.json.
Does not belong here: reading releases (clients.released_lines), printing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeGuard

import polars as pl

from sft_pipeline.curation.claimed import Claimed
from sft_pipeline.curation.identities import SCHEMA

PLACED = pl.Schema({"conversationId": pl.String(), "cell": pl.String(), "digest": SCHEMA["digest"]})
"""The conversations of a release, each once, with the cell of their file."""

COUNTS = ("before", "after", "stayed", "same", "changed", "came", "went", "movedIn", "movedOut")
"""`stayed` is same + changed: in its cell before and after. before = stayed + went + movedOut."""


class Difference(NamedTuple):
    """Something that two metadata.json say differently; what one of them does not say is empty."""

    what: str
    before: str
    after: str


def compare(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """One row per conversation of either release, sorted: conversationId, change, cellBefore, cellAfter.

    Args:
        before: `PLACED` rows.
        after: `PLACED` rows.

    Returns:
        change is came, went, moved (to another cell), changed (the record, not the cell) or same.
    """
    both = before.rename({"cell": "cellBefore"}).join(
        after.rename({"cell": "cellAfter", "digest": "digestAfter"}), on="conversationId", how="full", coalesce=True
    )
    change = (
        pl.when(pl.col("cellBefore").is_null())
        .then(pl.lit("came"))
        .when(pl.col("cellAfter").is_null())
        .then(pl.lit("went"))
        .when(pl.col("cellBefore") != pl.col("cellAfter"))
        .then(pl.lit("moved"))
        .when(pl.col("digest") != pl.col("digestAfter"))
        .then(pl.lit("changed"))
        .otherwise(pl.lit("same"))
    )
    return both.select("conversationId", change.alias("change"), "cellBefore", "cellAfter").sort("conversationId")


def cell_changes(changes: pl.DataFrame, cells: Iterable[str]) -> pl.DataFrame:
    """The rows of `compare` counted per cell, in the given order: cell and `COUNTS`."""
    rows = pl.DataFrame({"cell": list(dict.fromkeys(cells))}, schema={"cell": pl.String()})
    left, right = _counted(changes, "cellBefore"), _counted(changes, "cellAfter")
    rows = rows.join(left, on="cell", how="left", maintain_order="left")
    rows = rows.join(right, on="cell", how="left", suffix="After", maintain_order="left").fill_null(0)
    return rows.select(
        "cell",
        before=pl.sum_horizontal(_CHANGES),
        after=pl.sum_horizontal(f"{name}After" for name in _CHANGES),
        stayed=pl.col("same") + pl.col("changed"),
        same=pl.col("same"),
        changed=pl.col("changed"),
        came=pl.col("cameAfter"),
        went=pl.col("went"),
        movedIn=pl.col("movedAfter"),
        movedOut=pl.col("moved"),
    )


def metadata_differences(before: Claimed, after: Claimed) -> tuple[Difference, ...]:
    """What the two say differently of plan, window, query, source and versions; when they were made is not told."""
    left, right = _told(before), _told(after)
    names = dict.fromkeys([*left, *right])
    both = (Difference(name, left.get(name, ""), right.get(name, "")) for name in names)
    return tuple(one for one in both if one.before != one.after)


_CHANGES = ("came", "went", "moved", "changed", "same")


def _counted(changes: pl.DataFrame, column: str) -> pl.DataFrame:
    counts = [(pl.col("change") == name).sum().cast(pl.Int64()).alias(name) for name in _CHANGES]
    return changes.drop_nulls(column).group_by(pl.col(column).alias("cell")).agg(counts)


def _told(claimed: Claimed) -> dict[str, str]:
    info, asked = claimed.curation_info, claimed.query_parameters
    buckets = {bucket.name: list(bucket.turns) for bucket in info.plan.buckets}
    return {
        **dict(_flat("plan", {**info.plan.model_dump(mode="json"), "buckets": buckets})),
        "window": f"{asked.time_window.start:%Y-%m-%d} to {asked.time_window.end:%Y-%m-%d}",
        "query file": info.query_file,
        "query SHA-256": info.query_sha256[:12],
        "cluster": asked.cluster,
        "database": asked.database,
        **{f"version of {name}": version for name, version in info.versions.items()},
    }


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Every value inside a JSON value, by its path; a list counts as a value."""
    if _is_object(value):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}", inner)
    else:
        yield path, str(value)


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)
