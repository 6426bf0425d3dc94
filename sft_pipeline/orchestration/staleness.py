"""Whether a partition is what it would be if it were made again now: Dagster's own answer, as the UI shows it.

Belongs here: the only use of Dagster's internals. A test fails when a release of Dagster changes them.
"""

from collections.abc import Iterable

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG, CachingStaleStatusResolver, StaleStatus
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.loader import LoadingContext
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.orchestration.partitions import table_key


class _Loading(LoadingContext):
    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._loaders: dict[type, object] = {}

    @property
    def instance(self) -> dg.DagsterInstance:
        return self._instance

    @property
    def loaders(self) -> dict[type, object]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._loaders


def unfinished(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    tables: TableStore,
    assets: Iterable[str],
    partitions: Iterable[str],
) -> list[str]:
    """The partitions that some of the assets lack, or hold made from other data or by another plan or query."""
    resolver = CachingStaleStatusResolver(instance, definitions.resolve_asset_graph(), _Loading(instance))
    keys = [dg.AssetKey(asset.split("/")) for asset in assets]
    return [
        partition
        for partition in partitions
        if not all(
            resolver.get_status(key, partition) == StaleStatus.FRESH and tables.holds(table_key(key, partition))
            for key in keys
        )
    ]


def failed_checks(definitions: dg.Definitions, instance: dg.DagsterInstance, asset: str, partition: str) -> list[str]:
    """The blocking checks of a partition whose latest evaluation failed."""
    graph, history = definitions.resolve_asset_graph(), instance.event_log_storage
    mine = [key for key in graph.asset_check_keys if key.asset_key == dg.AssetKey(asset) and graph.get(key).blocking]
    of_partition = PartitionKeyFilter(key=partition)
    latest = {
        key.name: history.get_asset_check_execution_history(key, 1, partition_filter=of_partition) for key in mine
    }
    failed = AssetCheckExecutionRecordStatus.FAILED
    return sorted(name for name, records in latest.items() if records and records[0].status == failed)


def observe(instance: dg.DagsterInstance, asset: str, version: str) -> None:
    """Record the content version of an asset that is made elsewhere, when it differs from the last one recorded."""
    key = dg.AssetKey(asset)
    latest = instance.fetch_observations(key, limit=1).records
    if latest and (latest[0].asset_observation or dg.AssetObservation(key)).data_version == version:
        return
    instance.report_runless_asset_event(dg.AssetObservation(key, tags={DATA_VERSION_TAG: version}))
