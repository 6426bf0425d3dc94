"""Partitions and how their keys read: windows by day, hash chunks, cells, splits, variants.

Belongs here: partition definitions and taking composite keys apart.
"""

from datetime import date
from typing import NamedTuple

import dagster as dg

from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.curation.plan import Plan


class Partitions(NamedTuple):
    """The partition definitions of a plan; splits and variants are those of its routers."""

    windows: dg.DailyPartitionsDefinition
    chunks: dg.MultiPartitionsDefinition
    cells: dg.MultiPartitionsDefinition
    splits: dg.MultiPartitionsDefinition
    variants: dg.MultiPartitionsDefinition


def plan_partitions(plan: Plan) -> Partitions:
    """Key D of `window` is the window [D - days, D) in UTC."""
    windows = dg.DailyPartitionsDefinition(start_date=plan.window.first_day.isoformat(), end_offset=1)
    parts = {
        "chunk": plan.chunk_keys,
        "cell": tuple(cell.key for cell in plan.cells),
        "split": plan.routers.splits if plan.routers else (),
        "variant": tuple(variant.key for variant in plan.routers.variants) if plan.routers else (),
    }
    return Partitions(
        windows,
        *[
            dg.MultiPartitionsDefinition({"window": windows, name: dg.StaticPartitionsDefinition(list(keys))})
            for name, keys in parts.items()
        ],
    )


def splits_of_variants(plan: Plan) -> dg.MultiPartitionMapping:
    """A variant of a window is made from its split of that window.

    Raises:
        ValueError: the plan has no routers (a defect of the caller).
    """
    if not plan.routers:
        msg = f"plan {plan.name} has no routers"
        raise ValueError(msg)
    variants: dict[str, set[str]] = {}
    for variant in plan.routers.variants:
        variants.setdefault(variant.split, set()).add(variant.key)
    return dg.MultiPartitionMapping(
        {
            "window": dg.DimensionPartitionMapping("window", dg.IdentityPartitionMapping()),
            "split": dg.DimensionPartitionMapping("variant", dg.StaticPartitionMapping(dict(variants))),
        }
    )


class PartitionParts(NamedTuple):
    """A partition key taken apart; `part` is the chunk, cell, split or variant, empty for windows alone."""

    window: str
    part: str

    @property
    def day(self) -> date:
        """The window's key as a date."""
        return date.fromisoformat(self.window)


def parts_of(key: str) -> PartitionParts:
    """Take a partition key apart: `07-of-40|2026-11-01`, `train-short|2026-11-01` or `2026-11-01`.

    Composite keys hold the dimensions in the order of their names, and all others sort before `window`.
    """
    part, _, window = key.rpartition("|")
    return PartitionParts(window, part)


def partition_key(window: str, part: str = "") -> str:
    """The inverse of `parts_of`."""
    return f"{part}|{window}" if part else window


def part_keys(plan: Plan, asset: str) -> tuple[str, ...]:
    """What an asset is partitioned by beside windows, in the order of the walk; one empty key for windows alone."""
    splits, variants = (plan.routers.splits, plan.routers.variants) if plan.routers else ((), ())
    return {
        "conversation_chunks": plan.chunk_keys,
        "rejected_conversations": plan.chunk_keys,
        "samples": tuple(cell.key for cell in plan.cells),
        "sample_artifacts": tuple(cell.key for cell in plan.cells),
        "requests": splits,
        "verdicts": splits,
        "training_sets": tuple(variant.key for variant in variants),
        "sft_artifacts": tuple(variant.key for variant in variants),
    }.get(asset.rsplit("/", 1)[-1], ("",))


def asset_key(asset: str) -> dg.AssetKey:
    """The key of an asset by its name: `session_router/requests` has two parts."""
    return dg.AssetKey(asset.split("/"))


def table_key(asset: dg.AssetKey, key: str) -> TableKey:
    """Where the table of an asset's partition lies."""
    window, part = parts_of(key)
    return TableKey("/".join(asset.path), window, part)
