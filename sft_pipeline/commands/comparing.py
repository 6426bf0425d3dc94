"""`diff`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import polars as pl
from rich.markup import escape

from sft_pipeline.clients.published import printable
from sft_pipeline.clients.released_lines import Release, open_release, read_placed
from sft_pipeline.commands.places import open_named_release
from sft_pipeline.commands.row_files import WRITERS, row_file
from sft_pipeline.curation.comparison import COUNTS, Difference, cell_changes, compare, metadata_differences
from sft_pipeline.terminal import counting, out, print_table

DIFFERENCES_SHOWN = 12

HEADINGS = {
    "before": "A",
    "after": "B",
    "stayed": "stayed",
    "changed": "of these changed",
    "came": "came",
    "went": "went",
    "movedIn": "moved in",
    "movedOut": "moved out",
}
"""Columns of the table; those on changed and moved conversations are shown when there are any."""


def show_diff(told_before: str, told_after: str, *, path: Path | None) -> None:
    """Compare two releases, show the counts per cell, and write a row per conversation where that is asked for."""
    before, after = (open_release(open_named_release(told)) for told in (told_before, told_after))
    with ExitStack() as stack:
        unfinished = stack.enter_context(row_file(path)) if path else None
        changes = _changes(before, after)
        if path and unfinished:
            WRITERS[path.suffix](changes, unfinished)
    _show_counts(before, after, cell_changes(changes, (*before.cells, *after.cells)))
    _show_differences(metadata_differences(before.claimed, after.claimed))
    if path:
        out.print(f"{changes.height:,} rows to {path}", soft_wrap=True)


def _changes(before: Release, after: Release) -> pl.DataFrame:
    total = before.records + after.records
    with counting("records") as progress:
        left = read_placed(before, lambda done, _: progress(done, total))
        right = read_placed(after, lambda done, _: progress(before.records + done, total))
    for release, altered in ((before, left.altered), (after, right.altered)):
        if altered:
            what = escape(printable(f"{', '.join(altered)} of {release.name}"))
            out.print(f"[yellow]altered after its publication[/]: {what}", soft_wrap=True)
            out.print(f"  -> {escape(release.verify)}", soft_wrap=True)
    return compare(left.rows, right.rows)


def _show_counts(before: Release, after: Release, cells: pl.DataFrame) -> None:
    out.print(f"A  {escape(before.store.url.removeprefix('file://'))}", soft_wrap=True)
    out.print(f"B  {escape(after.store.url.removeprefix('file://'))}", soft_wrap=True)
    totals = cells.select(pl.lit("all").alias("cell"), *(pl.col(name).sum() for name in COUNTS))
    sums = totals.row(0, named=True)
    shown = [name for name in HEADINGS if sums[name] or not name.startswith(("changed", "moved"))]
    rows = pl.concat([cells, totals]).select("cell", *shown).rows()
    print_table("", ("cell", *(HEADINGS[name] for name in shown)), rows)
    changed = f"{sums['changed']:,} of them changed" if sums["changed"] else "with the same records"
    moved = f"{sums['movedIn']:,} moved to another cell" if sums["movedIn"] else "none moved to another cell"
    out.print(
        f"of {sums['before']:,} conversations {sums['stayed']:,} stayed, {changed}; "
        f"{sums['went']:,} went, {sums['came']:,} came, {moved}"
    )


def _show_differences(differences: Sequence[Difference]) -> None:
    if not differences:
        out.print("plan, window, query, source and versions are the same")
        return
    out.print("what else differs:")
    for one in differences[:DIFFERENCES_SHOWN]:
        out.print(f"  {escape(one.what)}: {escape(one.before or '-')} -> {escape(one.after or '-')}", soft_wrap=True)
    if len(differences) > DIFFERENCES_SHOWN:
        out.print(f"  and {len(differences) - DIFFERENCES_SHOWN:,} more: compare the two metadata.json")
