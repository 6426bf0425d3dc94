"""The whole DAG in dependency order on the configured instance: what `sft-pipeline run` does.

Belongs here: which partitions are asked for, in which order, and skipping what is finished.
Does not belong here: what is printed (cli, terminal), what the assets do.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from time import monotonic
from typing import NamedTuple, Protocol

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

from sft_pipeline.clients.kusto.asking_ahead import Progress
from sft_pipeline.clients.kusto.chunk_queries import ChunkQueries
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.publishing import ARTIFACTS, artifact_path
from sft_pipeline.clients.release_store import ReleaseStore, open_release_store
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.extraction import chunk_parameters
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.release import METADATA
from sft_pipeline.curation.sampling import require_filled
from sft_pipeline.orchestration.assembly import assemble, kusto_resource
from sft_pipeline.orchestration.checks import Shelf, checked_assets
from sft_pipeline.orchestration.leftovers import end_leftovers, process_tags
from sft_pipeline.orchestration.partitions import partition_key, parts_of, plan_partitions, table_key
from sft_pipeline.orchestration.resources import open_tables, plan_query
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.orchestration.staleness import failed_checks, observe, unfinished

PUBLISHED = ("sample_artifacts", "sample_release")
"""Assets whose content lies in the release store, beside a table that tells about it."""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Step(NamedTuple):
    """One asset (with what the same op makes beside it) and its partitions for the window."""

    asset: str
    partitions: tuple[str, ...]
    beside: tuple[str, ...] = ()

    @property
    def reads_telemetry(self) -> bool:
        """Whether the step queries Kusto."""
        return self.asset == "conversation_chunks"

    @property
    def assets(self) -> tuple[str, ...]:
        """All assets that the step materializes."""
        return (self.asset, *self.beside)


class Watcher(Protocol):
    """Who is told how the walk goes on."""

    def preparing(self, done: int, total: int) -> None:
        """The telemetry is made ready for queries: so many events of so many."""
        ...

    def step_started(self, step: Step, to_do: int) -> None:
        """A step begins; the partitions that are not to do are finished already."""
        ...

    def querying(self, step: Step, progress: Progress) -> None:
        """The step's queries run ahead; `progress` tells how far they are whenever it is asked."""
        ...

    def partition_done(self, step: Step, partition: str) -> None:
        """One partition is materialized and checked."""
        ...


@dataclass(frozen=True)
class StepDone:
    """What a step came to."""

    step: Step
    made: int
    seconds: float

    @property
    def skipped(self) -> int:
        """How many partitions were finished before."""
        return len(self.step.partitions) - self.made


class ChecksFailedError(Refused):
    """A blocking check failed: nothing downstream was made."""


def walk_steps(plan: Plan, window: date, until: str | None = None) -> tuple[Step, ...]:
    """The steps for a window, up to and including the asset `until`.

    Raises:
        Refused: the window is not one of the plan's, or there is no such asset.
    """
    key = window.isoformat()
    _require_window(plan, key)
    chunks = tuple(partition_key(key, chunk) for chunk in plan.chunk_keys)
    cells = tuple(partition_key(key, cell.key) for cell in plan.cells)
    steps = (
        Step("conversation_chunks", chunks, ("rejected_conversations",)),
        Step("conversations", (key,)),
        Step("samples", cells),
        Step("sample_artifacts", cells),
        Step("sample_release", (key,)),
    )
    if until is None:
        return steps
    names = [name for step in steps for name in step.assets]
    if until not in names:
        raise Refused(f"there is no asset {until!r} to stop after", remedy=f"name one of {', '.join(names)}")
    last = next(number for number, step in enumerate(steps) if until in step.assets)
    return steps[: last + 1]


def walk(settings: Settings, instance: dg.DagsterInstance, steps: Sequence[Step], watcher: Watcher) -> list[StepDone]:
    """Materialize what is not finished, step by step, each partition with its checks.

    Raises:
        Refused: an asset refused its input.
        ChecksFailedError: a blocking check failed.
    """
    end_leftovers(instance)
    definitions = assemble(settings)
    chunks = kusto_resource(settings).chunks()
    observe(instance, "app_events", chunks.kusto.fingerprint())
    job = definitions.resolve_implicit_global_asset_job_def()
    done: list[StepDone] = []
    for step in steps:
        started = monotonic()
        to_do = _to_do(settings, definitions, instance, step)
        if step.reads_telemetry and to_do:
            chunks.kusto.prepare(watcher.preparing)
        watcher.step_started(step, len(to_do))
        with _in_turn(settings, chunks, step, to_do, watcher) as partitions:
            _materialize_all(settings, job, instance, step, partitions, watcher)
        done.append(StepDone(step, len(to_do), monotonic() - started))
    return done


@contextmanager
def _in_turn(
    settings: Settings, chunks: ChunkQueries, step: Step, to_do: Sequence[str], watcher: Watcher
) -> Generator[Iterator[str]]:
    """The partitions to make; those that read telemetry as their queries are answered, which run ahead."""
    if not step.reads_telemetry or not to_do:
        yield iter(to_do)
        return
    plan, parts = settings.plan, [parts_of(key) for key in to_do]
    asked = [chunk_parameters(plan, part.day, chunk=plan.chunk_keys.index(part.part)) for part in parts]
    with chunks.ahead(plan_query(plan), asked) as (ready, progress):
        watcher.querying(step, progress)
        yield (to_do[number] for number in ready)


def _materialize_all(
    settings: Settings,
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    step: Step,
    partitions: Iterable[str],
    watcher: Watcher,
) -> None:
    """Make each partition; a chunk that gets no answer keeps none of the others from being made.

    Raises:
        Refused: a partition could not be made. Of chunks without an answer, all are named.
    """
    failures: list[KustoQueryFailed] = []
    for partition in partitions:
        try:
            _materialize(settings, job, instance, step, partition)
        except KustoQueryFailed as failed:
            if failed.permanent:
                raise
            failures.append(failed)
        else:
            watcher.partition_done(step, partition)
    if failures:
        raise Refused("; ".join(failed.what for failed in failures), remedy=failures[0].remedy)


def _to_do(settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance, step: Step) -> list[str]:
    """The partitions that are stale, failed a blocking check, or whose table or published file is gone."""
    tables, store = open_tables(settings.storage), open_release_store(settings.releases)
    stale = set(unfinished(definitions, instance, tables, step.assets, step.partitions))
    return [
        key
        for key in step.partitions
        if key in stale
        or failed_checks(definitions, instance, step.asset, key)
        or not _is_published(store, tables, step.asset, key)
    ]


def _is_published(store: ReleaseStore, tables: TableStore, asset: str, key: str) -> bool:
    if asset not in PUBLISHED:
        return True
    row = tables.read(table_key(dg.AssetKey(asset), key)).row(0, named=True)
    if asset == "sample_release":
        return f"{row['name']}/{METADATA}" in store.list(row["name"])
    return artifact_path(row["cell"], row["sampleVersion"]) in store.list(ARTIFACTS)


def _materialize(settings: Settings, job: dg.JobDefinition, instance: dg.DagsterInstance, step: Step, key: str) -> None:
    try:
        job.execute_in_process(
            instance=instance,
            partition_key=key,
            asset_selection=[dg.AssetKey(asset) for asset in step.assets],
            run_config=QUIET,
            tags=process_tags(),
        )
    except DagsterAssetCheckFailedError as error:
        if step.asset == "conversations":
            require_filled(open_tables(settings.storage).read(TableKey(step.asset, key)), settings.plan)
        raise ChecksFailedError(
            f"{step.asset} {key}: {_broken_claims(settings, step.asset, key)}",
            remedy="`sft-pipeline check` tells more; move what is damaged away (a release: its folder) and run again",
        ) from error


def _broken_claims(settings: Settings, asset: str, key: str) -> str:
    """What the failed checks have to say; Dagster's error has their names alone."""
    checked = next(one for one in checked_assets(settings.plan) if one.asset == asset)
    shelf = Shelf(open_tables(settings.storage), open_release_store(settings.releases))
    broken = [
        f"{claim.statement} - but not here: {outcome.detail or ', '.join(outcome.ids)}"
        for claim, outcome in checked.outcomes(shelf, parts_of(key))
        if claim.severity == "fatal" and not outcome.passed
    ]
    return "; ".join(broken)


def _require_window(plan: Plan, key: str) -> None:
    windows = plan_partitions(plan).windows
    if not windows.has_partition_key(key):
        raise Refused(
            f"there is no window {key}: the plan's windows end on days from {windows.get_first_partition_key()} "
            f"to {windows.get_last_partition_key()} (UTC), and none can end in the future",
            remedy="name a day in that range, or change window.first_day in the plan",
        )
