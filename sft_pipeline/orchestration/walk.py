"""The whole DAG in dependency order on the configured instance: what `sft-pipeline run` does.

Belongs here: which partitions are asked for, in which order, and skipping what is finished.
Does not belong here: what is printed (cli, terminal), what the assets do.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

from sft_pipeline.clients.kusto.asking_ahead import Progress
from sft_pipeline.clients.kusto.chunk_queries import ChunkQueries
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.table_store import TableKey
from sft_pipeline.curation.extraction import chunk_parameters
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.sampling import require_filled
from sft_pipeline.orchestration.adoption import SOURCE, adopted
from sft_pipeline.orchestration.assembly import assemble, kusto_resource
from sft_pipeline.orchestration.checked import Shelf
from sft_pipeline.orchestration.checks import broken_claims, checked_assets
from sft_pipeline.orchestration.judging import label_progress, require_judge
from sft_pipeline.orchestration.left_to_do import PUBLISHED, left_to_do
from sft_pipeline.orchestration.leftovers import end_leftovers, process_tags
from sft_pipeline.orchestration.partitions import asset_key, parts_of
from sft_pipeline.orchestration.places import prepare_places
from sft_pipeline.orchestration.pseudonym_key import settings_key_id
from sft_pipeline.orchestration.resources import open_releases, open_tables, plan_query
from sft_pipeline.orchestration.settings import Settings
from sft_pipeline.orchestration.staleness import observe, observed
from sft_pipeline.orchestration.steps import Step

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


DAMAGED = "`sft-pipeline check` tells more; move what is damaged away (a release: its folder) and run again"
UNTRUSTED = (
    "`sft-pipeline check` tells more; another judge or prompt may do better, and [routers.trust] says how good is good "
    "enough; answers are kept, so that the same judge is not paid again"
)
"""What to do about labels that nobody should train on."""


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

    def labelling(self, step: Step, told: Callable[[], str]) -> None:
        """The step's requests are judged; `told` says how far that is whenever it is asked."""
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
    if any(step.asks_the_judge and _left(settings, definitions, instance, step) for step in steps):
        require_judge(settings)
    job = definitions.resolve_implicit_global_asset_job_def()
    done: list[StepDone] = []
    for step in steps:
        started = monotonic()
        to_do = _left(settings, definitions, instance, step)
        watcher.step_started(step, len(to_do))
        if step.reads_telemetry:
            to_do = _without_adopted(settings, instance, step, to_do, watcher)
        if step.reads_telemetry and to_do:
            chunks.kusto.prepare(watcher.preparing)
        if step.asset in PUBLISHED:
            watcher.sending(step, open_releases(settings.releases).transfers.told)
        if step.asks_the_judge:
            watcher.labelling(step, label_progress().told)
        with _in_turn(settings, chunks, step, to_do, watcher) as partitions:
            _materialize_all(settings, job, instance, step, partitions, watcher)
        done.append(StepDone(step, len(to_do), monotonic() - started))
    return done


def _left(settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance, step: Step) -> list[str]:
    return left_to_do(settings, definitions, instance, step.assets, step.partitions)


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
                asset_selection=[asset_key(asset) for asset in step.assets],
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
            remedy=UNTRUSTED if step.asks_the_judge else DAMAGED,
        ) from error
