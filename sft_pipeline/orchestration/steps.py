"""The steps of a walk: which assets, in which order, and their partitions for a window.

Belongs here: the order. Does not belong here: making them (walk), skipping what is finished (left_to_do).
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import NamedTuple

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.routers import ROUTERS
from sft_pipeline.orchestration.judge_settings import NO_JUDGE, SET_ONE
from sft_pipeline.orchestration.partitions import part_keys, partition_key, plan_partitions

TO_SAMPLES = ("conversation_chunks", "conversations", "samples", "sample_artifacts", "sample_release")
OF_ROUTERS = ("requests", "verdicts", "training_sets", "sft_artifacts")
TO_SFT = (*(f"{router}/{name}" for router in ROUTERS for name in OF_ROUTERS), "sft_release")
BESIDE = {"conversation_chunks": ("rejected_conversations",)}


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
    def asks_the_judge(self) -> bool:
        """Whether the step labels requests."""
        return self.asset.endswith("/verdicts")

    @property
    def assets(self) -> tuple[str, ...]:
        """All assets that the step materializes."""
        return (self.asset, *self.beside)


def walk_steps(plan: Plan, window: date, until: str | None = None, *, labelled: bool = True) -> tuple[Step, ...]:
    """The steps for a window, up to and including the asset `until`.

    Args:
        plan: without routers there are no steps after the sample release.
        window: its key.
        until: an asset.
        labelled: whether there is a judge; without one a walk ends with the sample release.

    Raises:
        Refused: the window is not one of the plan's, there is no such asset, or it needs a judge.
    """
    key = window.isoformat()
    _require_window(plan, key)
    assets = (*TO_SAMPLES, *(TO_SFT if plan.routers else ()))
    steps = tuple(Step(asset, _partitions(plan, asset, key), BESIDE.get(asset, ())) for asset in assets)
    if until is not None:
        steps = steps[: _place(until, steps) + 1]
    if labelled:
        return steps
    if until in TO_SFT:
        raise Refused(f"{until} needs a judge: {NO_JUDGE}", remedy=SET_ONE)
    return tuple(step for step in steps if step.asset not in TO_SFT)


def _partitions(plan: Plan, asset: str, window: str) -> tuple[str, ...]:
    return tuple(partition_key(window, part) for part in part_keys(plan, asset))


def _place(asset: str, steps: Sequence[Step]) -> int:
    names = [name for step in steps for name in step.assets]
    if asset not in names:
        raise Refused(f"there is no asset {asset!r} to stop after", remedy=f"name one of {', '.join(names)}")
    return next(number for number, step in enumerate(steps) if asset in step.assets)


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


def _require_window(plan: Plan, key: str) -> None:
    windows = plan_partitions(plan).windows
    if not windows.has_partition_key(key):
        raise Refused(
            f"there is no window {key}: the plan's windows end on days from {windows.get_first_partition_key()} "
            f"to {windows.get_last_partition_key()} (UTC), and none can end in the future",
            remedy="name a day in that range, or change window.first_day in the plan",
        )
