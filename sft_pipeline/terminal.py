"""What the command line shows: progress of long work, tables of results, messages that help.

Belongs here: rendering with rich. Does not belong here: commands (cli), any computation.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import TextIO

import polars as pl
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from sft_pipeline.clients.kusto.asking_ahead import Progress as QueryProgress
from sft_pipeline.orchestration.steps import Step

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Bars(Progress):
    """Bars, and below them a line on what is going on at this moment."""

    note: Callable[[], str] | None = None
    own: TextIO | None = None

    def stop(self) -> None:
        """Wait for the thread that draws: one that the interpreter's end overtakes makes libraries print of leaks."""
        drawing = getattr(self.live, "_refresh_thread", None)
        super().stop()
        if drawing is not None and drawing is not current_thread():
            drawing.join()
        if self.own:
            self.own.close()
            self.own = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, then the note."""
        yield self.make_tasks_table(self.tasks)
        if self.note and (told := self.note()):
            yield Text(f"  {told}", style="dim", no_wrap=True, overflow="ellipsis")


def progress_bar() -> Bars:
    """A progress display with counts, elapsed and remaining time, on standard error."""
    own = _own_stderr()
    bars = Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(file=own, highlight=False) if own else err,
    )
    bars.own = own
    return bars


def _own_stderr() -> TextIO | None:
    """The terminal, where standard error is one: Dagster turns standard error itself into a file while a step runs."""
    if not err.is_terminal or sys.stderr is not sys.__stderr__:
        return None
    return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")


@contextmanager
def counting(description: str) -> Generator[Callable[[int, int], None]]:
    """A bar for work that reports (done, total)."""
    _hear_interrupts()
    with progress_bar() as progress:
        task = progress.add_task(description, total=None)
        try:
            yield lambda done, total: progress.update(task, completed=done, total=total)
        finally:
            progress.update(task, visible=progress.tasks[0].total is not None)  # nothing was begun: nothing stays


def _hear_interrupts() -> None:
    """Importing Polars makes a main thread that waits deaf to Ctrl-C until its wait ends; a handler set anew hears."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not None and current_thread() is main_thread():
        signal.signal(signal.SIGINT, handler)


PREPARING = "staging raw events"


class WalkProgress:
    """A bar per step of the walk; what was finished before counts as done."""

    def __init__(self, progress: Bars) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def preparing(self, done: int, total: int) -> None:
        """Show how many raw events are staged."""
        if PREPARING not in self._tasks:
            self._tasks[PREPARING] = self._progress.add_task(f"{PREPARING:<34}")
        self._progress.update(self._tasks[PREPARING], completed=done, total=total)

    def step_started(self, step: Step, to_do: int) -> None:
        """Show the step with what is done already."""
        self._progress.note = None
        total = len(step.partitions)
        task = self._progress.add_task(f"{step.asset:<34}", total=total)
        self._progress.update(task, completed=total - to_do)  # which is what marks a task as finished
        self._tasks[step.asset] = task

    def querying(self, step: Step, progress: QueryProgress) -> None:  # noqa: ARG002 - the watcher's signature
        """Show below the bars what the queries do."""
        self._progress.note = progress.told

    def sending(self, step: Step, told: Callable[[], str]) -> None:  # noqa: ARG002 - the watcher's signature
        """Show below the bars what is sent."""
        self._progress.note = told

    def labelling(self, step: Step, told: Callable[[], str]) -> None:  # noqa: ARG002 - the watcher's signature
        """Show below the bars how the labels come in."""
        self._progress.note = told

    def partition_done(self, step: Step, partition: str) -> None:  # noqa: ARG002 - the watcher's signature
        """Move on by one; a log, where nothing can be drawn over, gets a line."""
        task = self._tasks[step.asset]
        self._progress.advance(task)
        if not self._progress.console.is_terminal:
            told = f"{step.asset} {self._progress.tasks[task].completed:.0f}/{len(step.partitions)}"
            note = self._progress.note() if self._progress.note else ""
            self._progress.console.print(": ".join(filter(None, (told, note))), soft_wrap=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; numbers are right-aligned with thousands separators."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], (int, float)) or row[index] is None for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    out.print(table)


def print_frame(title: str, frame: pl.DataFrame) -> None:
    """A small frame as a table."""
    print_table(title, frame.columns, frame.rows())


def print_counts(title: str, counts: Mapping[str, int]) -> None:
    """Names and counts in the given order."""
    print_table(title, ("", "count"), list(counts.items()))


def print_next(words: str) -> None:
    """A command of ours to copy, never wrapped, under the name by which this one was called."""
    called = "sft-pipeline" if shutil.which("sft-pipeline") else os.path.relpath(sys.argv[0])
    out.print(f"  {escape(f'{called} {words}')}", soft_wrap=True)


def print_refusal(what: str, remedy: str) -> None:
    """What is wrong and what to do, on standard error."""
    err.print(f"[red bold]refused[/] {escape(what)}", soft_wrap=True)
    err.print(f"  [bold]->[/] {escape(remedy)}", soft_wrap=True)


def print_error(message: str) -> None:
    """A failure that is not the user's doing."""
    err.print(f"[red bold]failed[/] {escape(message)}", soft_wrap=True)


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, (int, float)):
        return f"{value:,}"
    return escape(str(value))
