"""`run` and `ui`."""

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from time import monotonic

import polars as pl
import typer
from dagster import DagsterExecutionInterruptedError
from sqlalchemy.exc import OperationalError

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.commands.label_summary import show_labels, show_sft_release
from sft_pipeline.commands.windows import window_or_newest
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.curation.sampling import cell_counts
from sft_pipeline.curation.validating import InvalidRecordsError
from sft_pipeline.orchestration.instance import open_instance, prepare_instance
from sft_pipeline.orchestration.judge_settings import NO_JUDGE, SET_ONE
from sft_pipeline.orchestration.metadata import left_out, repaired
from sft_pipeline.orchestration.partitions import parts_of
from sft_pipeline.orchestration.resources import open_tables
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline.orchestration.steps import chunk_steps, walk_steps
from sft_pipeline.orchestration.walk import StepDone, walk
from sft_pipeline.terminal import (
    WalkProgress,
    out,
    print_counts,
    print_error,
    print_frame,
    print_next,
    print_table,
    progress_bar,
)

INTERRUPTED = 130
"""What a shell says of a command that Ctrl-C ended."""


def run_walk(
    *,
    plan: str | None,
    window: date | None,
    split: str | None,
    until: str | None,
    chunks: Collection[int] | None,
    allow_shortfall: bool,
) -> None:
    """Run the walk, or the chunks of these numbers alone, and show what it came to."""
    settings = _chosen(read_settings(plan=plan), split=split, allow_shortfall=allow_shortfall)
    day = window_or_newest(settings, window)
    steps = (
        walk_steps(settings.plan, day, until, labelled=bool(settings.judge.kind))
        if chunks is None
        else chunk_steps(settings.plan, day, chunks)
    )
    start, end = settings.plan.bounds(day)
    out.print(
        f"plan [bold]{settings.plan.name}[/], window {start:%Y-%m-%d} to {end:%Y-%m-%d} UTC, home {settings.home}"
    )
    out.print(f"tables {settings.storage}, releases {settings.releases}", soft_wrap=True)
    started = monotonic()
    try:
        with open_instance(settings) as instance, progress_bar() as progress:
            done = walk(settings, instance, steps, WalkProgress(progress))
    except InvalidRecordsError as error:
        print_error(str(error))
        raise typer.Exit(1) from None
    except OperationalError as error:
        raise Refused(
            f"Dagster cannot write its records in {settings.dagster_home}: {error.orig}",
            remedy="mend space or permissions there, then run again: what is finished is kept",
        ) from None
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):
        print_error("interrupted: what was finished is kept, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    _show(settings, day.isoformat(), done, monotonic() - started)


def _chosen(settings: Settings, *, split: str | None, allow_shortfall: bool) -> Settings:
    plan = settings.plan.only(split) if split else settings.plan
    return settings.model_copy(update={"plan": plan.with_shortfall() if allow_shortfall else plan})


def _show(settings: Settings, window: str, done: list[StepDone], seconds: float) -> None:
    tables = open_tables(settings.storage)
    rows = [(step.step.asset, step.made, step.skipped, round(step.seconds, 1)) for step in done]
    print_table("Steps", ("asset", "made", "finished before", "seconds"), rows)
    reached = {step.step.asset for step in done}
    chunks = [parts_of(key).part for key in done[0].step.partitions]
    accounts = _accounts(settings, tables, window, chunks, reached)
    print_table("From telemetry to release", ("conversations", "count"), accounts)
    print_counts("Dropped or repaired by the query", repaired(settings.plan, tables, window, chunks))
    if len(chunks) < settings.plan.chunks.count:
        out.print(f"{len(chunks)} of {settings.plan.chunks.count} chunks; `run` without --chunks goes on with all")
    if "conversations" in reached:
        candidates = tables.read(TableKey("conversations", window))
        print_frame("Cells", cell_counts(candidates, settings.plan).drop("split", "bucket"))
    if "sample_release" in reached:
        release = tables.read(TableKey("sample_release", window)).row(0, named=True)
        when = _when(done, "sample_release", seconds)
        out.print(f"{release['records']:,} records released {when}; verify them with")
        print_next(f"verify {release['url'].removeprefix('file://')}")
    labelled: list[RouterName] = [router for router in ROUTERS if f"{router}/verdicts" in reached]
    if labelled:
        show_labels(settings.plan, tables, window, labelled)
    if "sft_release" in reached:
        show_sft_release(settings.plan, tables, window, when=_when(done, "sft_release", seconds))
    elif "sample_release" in reached and settings.plan.routers and not settings.judge.kind:
        out.print(f"no SFT files: {NO_JUDGE}; {SET_ONE}", soft_wrap=True)


def _when(done: Sequence[StepDone], asset: str, seconds: float) -> str:
    return f"in {seconds:.1f} s" if any(step.made for step in done if step.step.asset == asset) else "before"


def _accounts(
    settings: Settings, tables: TableStore, window: str, chunks: Sequence[str], reached: set[str]
) -> list[tuple[str, int]]:
    """Every conversation the queries looked at, and where it went; the counts add up."""
    candidates = tables.scan([TableKey("conversation_chunks", window, chunk) for chunk in chunks])
    kept = int(candidates.select(pl.len()).collect().item())
    reasons = left_out(settings.plan, tables, window, chunks)
    looked_at = ("looked at: with a turn in agent mode", kept + sum(reasons.values()))
    rows = [looked_at, *((f"- {name}", count) for name, count in reasons.items()), ("candidates", kept)]
    if "sample_release" in reached:
        released = int(tables.read(TableKey("sample_release", window))["records"][0])
        rows += [("- not needed by their cell", kept - released), ("released", released)]
    return rows


def serve_ui(*, plan: str | None, port: int) -> None:
    """Serve Dagster's own UI on the instance of the plan until it is interrupted."""
    settings = read_settings(plan=plan)
    prepare_instance(settings)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(settings.dagster_home),
        "SFT_PLAN": plan or os.environ.get("SFT_PLAN") or "production",
    }
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-m", "sft_pipeline.definitions", "-p", str(port)]
    out.print(f"plan [bold]{settings.plan.name}[/], instance {settings.dagster_home}, http://127.0.0.1:{port}")
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)  # noqa: S603
