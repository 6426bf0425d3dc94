"""The whole DAG in dependency order on the configured instance: what `sft-pipeline run` does.

Belongs here: which partitions are asked for, in which order, and skipping what is finished.
Does not belong here: what is printed (cli, terminal), what the assets do.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
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
from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.curation.extraction import chunk_parameters
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.sampling import require_filled
from sft_pipeline.orchestration.adoption import SOURCE, adopted
from sft_pipeline.orchestration.assembly import assemble, kusto_resource
from sft_pipeline.orchestration.checks import Shelf, broken_claims, checked_assets
from sft_pipeline.orchestration.left_to_do import PUBLISHED, left_to_do
from sft_pipeline.orchestration.leftovers import end_leftovers, process_tags
from sft_pipeline.orchestration.partitions import partition_key, parts_of, plan_partitions
from sft_pipeline.orchestration.places import prepare_places
from sft_pipeline.orchestration.pseudonym_key import settings_key_id
from sft_pipeline.orchestration.resources import open_releases, open_tables, plan_query
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.orchestration.staleness import observe, observed

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

    def sending(self, step: Step, told: Callable[[], str]) -> None:
        """The step's files are sent; `told` says how far the one at hand is whenever it is asked."""
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


def chunk_steps(plan: Plan, window: date, numbers: Collection[int]) -> tuple[Step, ...]:
    """The step that asks for some of a window's chunks, and none after it.

    Raises:
        Refused: the window is not one of the plan's, or a chunk is not.
    """
    [step] = walk_steps(plan, window, "conversation_chunks")
    if odd := sorted(number for number in numbers if not 0 <= number < plan.chunks.count):
        raise Refused(
            f"plan {plan.name} has no chunk {odd[0]}: its chunks are 0 to {plan.chunks.count - 1}",
            remedy="name chunks in that range: every machine its own, together all of them",
        )
    return (step._replace(partitions=tuple(step.partitions[number] for number in sorted(set(numbers)))),)


def walk(settings: Settings, instance: dg.DagsterInstance, steps: Sequence[Step], watcher: Watcher) -> list[StepDone]:
    """Materialize what is not finished, step by step, each partition with its checks.

    Raises:
        Refused: a place is not good to work in, or an asset refused its input.
        ChecksFailedError: a blocking check failed.
    """
    prepare_places(settings)
    end_leftovers(instance)
    definitions = assemble(settings)
    chunks = kusto_resource(settings).chunks()
    observe(instance, SOURCE, chunks.kusto.fingerprint())
    job = definitions.resolve_implicit_global_asset_job_def()
    done: list[StepDone] = []
    for step in steps:
        started = monotonic()
        to_do = left_to_do(settings, definitions, instance, step.assets, step.partitions)
        watcher.step_started(step, len(to_do))
        if step.reads_telemetry:
            to_do = _without_adopted(settings, instance, step, to_do, watcher)
        if step.reads_telemetry and to_do:
            chunks.kusto.prepare(watcher.preparing)
        if step.asset in PUBLISHED:
            watcher.sending(step, open_releases(settings.releases).transfers.told)
        with _in_turn(settings, chunks, step, to_do, watcher) as partitions:
            _materialize_all(settings, job, instance, step, partitions, watcher)
        done.append(StepDone(step, len(to_do), monotonic() - started))
    return done


def _without_adopted(
    settings: Settings, instance: dg.DagsterInstance, step: Step, to_do: Sequence[str], watcher: Watcher
) -> list[str]:
    """What is left when those chunks are taken over that lie in storage as they would be made."""
    left = list(to_do)
    for partition in adopted(settings, instance, observed(instance, SOURCE)[0] or "", to_do):
        left.remove(partition)
        watcher.partition_done(step, partition)
    return left


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


def _materialize(settings: Settings, job: dg.JobDefinition, instance: dg.DagsterInstance, step: Step, key: str) -> None:
    try:
        with open_tables(settings.storage).refusing():
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
        checked = checked_assets(settings.plan, settings_key_id(settings))
        shelf = Shelf(open_tables(settings.storage), open_releases(settings.releases))
        raise ChecksFailedError(
            f"{step.asset} {key}: {broken_claims(checked, shelf, step.asset, key)}",
            remedy="`sft-pipeline check` tells more; move what is damaged away (a release: its folder) and run again",
        ) from error


def _require_window(plan: Plan, key: str) -> None:
    windows = plan_partitions(plan).windows
    if not windows.has_partition_key(key):
        raise Refused(
            f"there is no window {key}: the plan's windows end on days from {windows.get_first_partition_key()} "
            f"to {windows.get_last_partition_key()} (UTC), and none can end in the future",
            remedy="name a day in that range, or change window.first_day in the plan",
        )
