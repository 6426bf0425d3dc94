"""Partitions and how their keys read: windows by day, hash chunks, cells.

Belongs here: partition definitions and taking composite keys apart.
"""

from datetime import date
from typing import NamedTuple

import dagster as dg

from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.curation.plan import Plan


class Partitions(NamedTuple):
    """The partition definitions of a plan."""

    windows: dg.DailyPartitionsDefinition
    chunks: dg.MultiPartitionsDefinition
    cells: dg.MultiPartitionsDefinition


def plan_partitions(plan: Plan) -> Partitions:
    """Key D of `window` is the window [D - days, D) in UTC."""
    windows = dg.DailyPartitionsDefinition(start_date=plan.window.first_day.isoformat(), end_offset=1)
    chunks = dg.StaticPartitionsDefinition(list(plan.chunk_keys))
    cells = dg.StaticPartitionsDefinition([cell.key for cell in plan.cells])
    return Partitions(
        windows,
        dg.MultiPartitionsDefinition({"window": windows, "chunk": chunks}),
        dg.MultiPartitionsDefinition({"window": windows, "cell": cells}),
    )


class PartitionParts(NamedTuple):
    """A partition key taken apart; `part` is the chunk or the cell, empty for windows alone."""

    window: str
    part: str

    @property
    def day(self) -> date:
        """The window's key as a date."""
        return date.fromisoformat(self.window)


def parts_of(key: str) -> PartitionParts:
    """Take a partition key apart: `07-of-40|2026-11-01`, `train-short|2026-11-01` or `2026-11-01`.

    Composite keys hold the dimensions in the order of their names, and both `cell` and `chunk` sort before `window`.
    """
    part, _, window = key.rpartition("|")
    return PartitionParts(window, part)


def partition_key(window: str, part: str = "") -> str:
    """The inverse of `parts_of`."""
    return f"{part}|{window}" if part else window


def table_key(asset: dg.AssetKey, key: str) -> TableKey:
    """Where the table of an asset's partition lies."""
    window, part = parts_of(key)
    return TableKey("/".join(asset.path), window, part)
