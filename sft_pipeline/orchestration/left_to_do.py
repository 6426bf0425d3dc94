"""Which partitions of a step are left to do: what is finished stays as it is.

Belongs here: that one question, over the instance, the tables and the releases.
Does not belong here: whether a partition is stale (staleness), in which order the rest is made (walk).
"""

from collections.abc import Callable, Collection, Sequence
from functools import cache

import dagster as dg

from sft_pipeline.clients.publishing import ARTIFACTS, artifact_path
from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.curation.release import METADATA
from sft_pipeline.orchestration.partitions import table_key
from sft_pipeline.orchestration.resources import open_releases, open_tables
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.orchestration.staleness import failed_checks, unfinished

PUBLISHED = ("sample_artifacts", "sample_release")
"""Assets whose content lies in the release store, beside a table that tells about it."""


def left_to_do(
    settings: Settings,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: Sequence[str],
    partitions: Sequence[str],
) -> list[str]:
    """The partitions that are stale, did not pass a blocking check, or whose table or published file is gone.

    Args:
        settings: where tables and releases lie.
        definitions: of the plan.
        instance: knows what was made and how its checks turned out.
        assets: those that one op makes; the checks are those of the first.
        partitions: in the order in which they are given back.
    """
    tables, listed = open_tables(settings.storage), cache(open_releases(settings.releases).list)
    stale = set(unfinished(definitions, instance, tables, assets, partitions))
    return [
        key
        for key in partitions
        if key in stale
        or failed_checks(definitions, instance, assets[0], key)
        or not _is_published(listed, tables, assets[0], key)
    ]


def _is_published(listed: Callable[[str], Collection[str]], tables: TableStore, asset: str, key: str) -> bool:
    if asset not in PUBLISHED:
        return True
    row = tables.read(table_key(dg.AssetKey(asset), key)).row(0, named=True)
    if asset == "sample_release":
        paths = listed(row["name"])
        return f"{row['name']}/{METADATA}" in paths and len(paths) >= row["files"]
    return artifact_path(row["cell"], row["sampleVersion"]) in listed(ARTIFACTS)
