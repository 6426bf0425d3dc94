"""Whether a partition is what it would be if it were made again now: Dagster's own answer, as the UI shows it.

Belongs here: that answer, and the records it is made from. It uses Dagster's internals; tests fail when a release of
Dagster changes them.
"""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    CachingStaleStatusResolver,
    StaleStatus,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.loader import LoadingContext
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.orchestration.partitions import asset_key, table_key

Metadata = Mapping[str, str | int | bool | dg.PathMetadataValue]


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
    """The partitions that some of the assets lack, or hold made from other data or by another plan or query.

    A table counts only if it is the one that the instance saw made: another plan or machine may have stored its own.
    """
    resolver = CachingStaleStatusResolver(instance, definitions.resolve_asset_graph(), _Loading(instance))
    keys = [asset_key(asset) for asset in assets]
    wanted = list(partitions)
    stored = tables.versions([table_key(key, partition) for key in keys for partition in wanted])

    def is_finished(key: dg.AssetKey, partition: str) -> bool:
        made = resolver.get_current_data_version(key, partition).value
        return (
            resolver.get_status(key, partition) == StaleStatus.FRESH and stored.get(table_key(key, partition)) == made
        )

    return [partition for partition in wanted if not all(is_finished(key, partition) for key in keys)]


def failed_checks(definitions: dg.Definitions, instance: dg.DagsterInstance, asset: str, partition: str) -> list[str]:
    """The blocking checks of a partition that failed when they were last evaluated, or were begun and not finished."""
    graph = definitions.resolve_asset_graph()
    mine = [key for key in graph.asset_check_keys if key.asset_key == asset_key(asset) and graph.get(key).blocking]
    return failed_of(instance, mine, partition)


def failed_of(instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], partition: str) -> list[str]:
    """Those of some checks of a partition that failed when they were last evaluated, or were begun and not finished."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        checks, partition_filter=PartitionKeyFilter(key=partition)
    )
    passed = AssetCheckExecutionRecordStatus.SUCCEEDED
    return sorted(key.name for key, record in latest.items() if record.status != passed)


def observed(instance: dg.DagsterInstance, asset: str) -> tuple[str | None, int | None]:
    """The content version last recorded of an asset that is made elsewhere, and the number of that record."""
    key = dg.AssetKey(asset)
    latest = instance.fetch_observations(key, limit=1).records
    if not latest:
        return None, None
    return (latest[0].asset_observation or dg.AssetObservation(key)).data_version, latest[0].storage_id


def observe(instance: dg.DagsterInstance, asset: str, version: str) -> None:
    """Record the content version of an asset that is made elsewhere, when it differs from the last one recorded."""
    if observed(instance, asset)[0] != version:
        instance.report_runless_asset_event(dg.AssetObservation(dg.AssetKey(asset), tags={DATA_VERSION_TAG: version}))


def report_made(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    partition: str,
    versions: tuple[str, str, Mapping[str, str]],
    metadata: Metadata,
) -> Target:
    """Record that a partition was made, as a run would that made it; the record, for what is said of it.

    Args:
        instance: is told.
        asset: of which.
        partition: which.
        versions: of the content, of the code, and of each observed asset that it was made from.
        metadata: for people.
    """
    content, code, sources = versions
    tags = {DATA_VERSION_TAG: content, DATA_VERSION_IS_USER_PROVIDED_TAG: "true", CODE_VERSION_TAG: code}
    for name, version in sources.items():
        pointer = observed(instance, name)[1]
        tags[get_input_data_version_tag(dg.AssetKey(name))] = version
        tags[get_input_event_pointer_tag(dg.AssetKey(name))] = str(pointer or NULL_EVENT_POINTER)
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset, partition=partition, tags=tags, metadata=metadata)
    )
    made = last_made(instance, asset, partition)
    if made is None:
        msg = f"{asset.to_user_string()} {partition}: what was just recorded is not there"
        raise ValueError(msg)
    return made


def last_made(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str) -> Target | None:
    """The record of a partition's last materialization, for what is said of it; None when it was never made."""
    made = dg.AssetRecordsFilter(asset, asset_partitions=[partition])
    for record in instance.fetch_materializations(made, limit=1).records:
        return Target(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)
    return None
