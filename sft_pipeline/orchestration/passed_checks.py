"""What a release is made from must have passed its checks: that a table is materialized says nothing.

Dagster stops what is downstream in the run in which a check fails; another run, begun by hand, it lets go on.

Belongs here: that one condition. Does not belong here: the checks (checks), what is made again (left_to_do).
"""

from collections.abc import Collection, Iterator

import dagster as dg

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.checked import CheckedAsset
from sft_pipeline.orchestration.checks import checked_assets
from sft_pipeline.orchestration.partitions import asset_key, part_keys, partition_key
from sft_pipeline.orchestration.staleness import failed_of

SAMPLE_CHAIN = ("conversation_chunks", "conversations", "samples", "sample_artifacts")
"""The assets that a sample release is made from."""


def require_passed(
    plan: Plan, instance: dg.DagsterInstance, window: str, chain: Collection[str] = SAMPLE_CHAIN
) -> None:
    """Let a window be released when no check of what its release is made from, the chain's assets, failed.

    Raises:
        Refused: a blocking check failed when it was last evaluated, or was begun and not finished.
    """
    failed = [
        f"{checked.asset} {partition} ({', '.join(names)})"
        for checked in checked_assets(plan)
        if checked.asset in chain
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
    return [dg.AssetCheckKey(asset_key(checked.asset), name) for name in fatal]


def _partitions(plan: Plan, checked: CheckedAsset, window: str) -> Iterator[str]:
    """The partitions of a window, by what the asset is partitioned by."""
    for part in part_keys(plan, checked.asset):
        yield partition_key(window, part)
