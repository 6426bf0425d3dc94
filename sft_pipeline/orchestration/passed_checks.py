"""What a release is made from must have passed its checks: that a table is materialized says nothing.

Dagster stops what is downstream in the run in which a check fails; another run, begun by hand, it lets go on.

Belongs here: that one condition. Does not belong here: the checks (checks), what is made again (left_to_do).
"""

from collections.abc import Iterator

import dagster as dg

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.checks import CheckedAsset, checked_assets
from sft_pipeline.orchestration.partitions import partition_key
from sft_pipeline.orchestration.staleness import failed_of


def require_passed(plan: Plan, instance: dg.DagsterInstance, window: str) -> None:
    """Let a window be released when no check of what its release is made from failed.

    Raises:
        Refused: a blocking check failed when it was last evaluated, or was begun and not finished.
    """
    failed = [
        f"{checked.asset} {partition} ({', '.join(names)})"
        for checked in checked_assets(plan)
        if checked.asset != "sample_release"
        for partition in _partitions(plan, checked, window)
        if (names := failed_of(instance, _blocking(checked), partition))
    ]
    if failed:
        raise Refused(
            f"checks did not pass of {len(failed)} partitions that the release is made from: {'; '.join(failed[:5])}",
            remedy="`sft-pipeline run` makes them again; `sft-pipeline check` tells more",
        )


def _blocking(checked: CheckedAsset) -> list[dg.AssetCheckKey]:
    fatal = [claim.name for claim in checked.claims if claim.severity == "fatal"]
    return [dg.AssetCheckKey(dg.AssetKey(checked.asset), name) for name in fatal]


def _partitions(plan: Plan, checked: CheckedAsset, window: str) -> Iterator[str]:
    """The partitions of a window, by what the asset is partitioned by."""
    parts = {"conversation_chunks": plan.chunk_keys, "conversations": ("",)}
    for part in parts.get(checked.asset, tuple(cell.key for cell in plan.cells)):
        yield partition_key(window, part)
