"""Which partitions of a step are left to do: what is finished stays as it is.

Belongs here: that one question, over the instance, the tables and the releases.
Does not belong here: whether a partition is stale (staleness), in which order the rest is made (walk).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache

import dagster as dg
import polars as pl

from sft_pipeline.clients.publishing import ARTIFACTS, artifact_path
from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.routers import ROUTERS
from sft_pipeline.orchestration.partitions import asset_key, table_key
from sft_pipeline.orchestration.resources import open_releases, open_tables
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.orchestration.staleness import failed_checks, unfinished

RELEASES = ("sample_release", "sft_release")
PUBLISHED = ("sample_artifacts", *RELEASES, *(f"{router}/sft_artifacts" for router in ROUTERS))
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
    table = tables.read(table_key(asset_key(asset), key))
    if asset in RELEASES:
        row = table.row(0, named=True)
        paths = listed(row["name"])
        return f"{row['name']}/{METADATA}" in paths and len(paths) >= row["files"]
    return set(_origins(table)) <= {*listed(ARTIFACTS)}


def _origins(artifacts: pl.DataFrame) -> Iterable[str]:
    """Where the files of an artifact's table lie."""
    if "origin" in artifacts.columns:
        return artifacts["origin"]
    return [artifact_path(cell, version) for cell, version in artifacts.select("cell", "sampleVersion").iter_rows()]
