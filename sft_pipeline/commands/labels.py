"""`labels import`, `labels export` and `labels ledger`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from sft_pipeline.clients.labels.exporting import export_labels
from sft_pipeline.clients.labels.importing import Imported, import_labels
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.orchestration.judging import open_labels
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline.terminal import counting, out, print_counts, print_error, print_table


def import_command(file: Path, judge: str, *, responses: bool = False) -> None:
    """Import a file of annotated records and show what came of it; exit 1 when lines of it are no records."""
    settings = read_settings()
    report = settings.home / "label_imports" / f"{file.name}.bad_lines.csv"
    with counting("bytes") as progress:
        imported = import_labels(
            file, _store(settings), judge, report=report, with_responses=responses, progress=progress
        )
    print_counts(f"Labels of {escape(judge)}", _counts(imported))
    if imported.conflicts:
        out.print(f"{imported.conflicts:,} requests have both verdicts: they count as unlabelled", soft_wrap=True)
    if imported.bad:
        print_counts("Lines that are no records", imported.bad)
        print_error(f"{sum(imported.bad.values()):,} of {imported.lines:,} lines were not imported: {report}")
        raise typer.Exit(1)
    if not imported.lines:
        print_error(f"{file} holds no lines")
        raise typer.Exit(1)


def export_command(judge: str, path: Path) -> None:
    """Write the annotated records of an imported judge to a file."""
    count = export_labels(_store(read_settings()), judge, path)
    out.print(f"{count:,} records to {escape(str(path))}", soft_wrap=True)


def show_ledger() -> None:
    """Show what each judge was asked, what came of it and what it cost."""
    settings = read_settings()
    ledger = _store(settings).ledger()
    if ledger.is_empty():
        out.print(f"no labels in {escape(settings.labels)}", soft_wrap=True)
        return
    print_table(escape(settings.labels), SHOWN, [_entry(row) for row in ledger.iter_rows(named=True)])


SHOWN = ("judge and prompt", "asks", "labelled", "none", "tokens in", "out", "cost", "last")
"""What fits the width of a terminal."""


def _store(settings: Settings) -> LabelStore:
    return open_labels(settings.labels, settings.judging)


def _counts(imported: Imported) -> dict[str, int]:
    return {
        "lines": imported.lines,
        "new records": imported.added,
        "already known": imported.known,
        "requests of this judge": imported.requests,
    }


def _entry(row: Mapping[str, Any]) -> tuple[object, ...]:
    counts = (row[name] for name in ("asks", "labelled", "unlabelled", "promptTokens", "completionTokens"))
    return (f"{row['judge']}\n{row['prompt']}", *counts, round(row["cost"], 4), f"{row['last']:%Y-%m-%d %H:%M}")
