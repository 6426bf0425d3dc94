"""A query's answer in the terminal: a table where it fits, else a block per row.

Belongs here: what of an answer a person can read at this width, and saying what is left out.
Does not belong here: running queries, writing answers to files (querying).
"""

from collections.abc import Sequence

import polars as pl
from rich.cells import cell_len, set_cell_size
from rich.markup import escape

from sft_pipeline.terminal import out, print_frame

TABLE_ROWS = 20
BLOCK_ROWS = 3
TEXT_WIDTHS = (60, 40, 24)
"""Longest texts of a table: the widest that fits is taken. Below the least, a row reads better as a block."""
LONGEST_TEXT = 500
"""Characters of a text that are looked at: nobody reads more of it here, and turns may hold megabytes."""


def show_answer(rows: pl.DataFrame) -> None:
    """Show the first rows, and say how many there are and how to get all."""
    told = _one_line_texts(rows.head(TABLE_ROWS))
    width = next((width for width in TEXT_WIDTHS if _table_width(_cut(told, width)) <= out.width), None)
    out.print(f"[bold]{_counted(rows.height, 'row')}, {_counted(rows.width, 'column')}[/]")
    if width:
        shown = _cut(told, width)
        print_frame("", shown)
    else:
        shown = told.head(BLOCK_ROWS)
        _print_blocks(shown)
    _print_left_out(rows.height - shown.height, cut=not shown.equals(rows.head(shown.height)))


def _one_line_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Line breaks and runs of blanks in texts as one blank."""
    text = pl.col(pl.String).str.slice(0, LONGEST_TEXT).str.replace_all(r"\s+", " ")
    return rows.with_columns(text)


def _cut(rows: pl.DataFrame, width: int) -> pl.DataFrame:
    """Texts longer than the width end in an ellipsis."""
    text = pl.col(pl.String)
    return rows.with_columns(
        pl.when(text.str.len_chars() > width).then(text.str.slice(0, width - 1) + "…").otherwise(text)
    )


def _table_width(rows: pl.DataFrame) -> int:
    """The width of `print_frame`'s table: three characters around each cell and one at the end."""
    return 1 + sum(3 + max(map(cell_len, (name, *_texts(rows[name])))) for name in rows.columns)


def _texts(values: pl.Series) -> list[str]:
    return [_text(value) for value in values]


def _text(value: object) -> str:
    """As `print_frame` writes a cell."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,}"
        case _:
            return str(value)


def _print_blocks(rows: pl.DataFrame) -> None:
    names = max(map(cell_len, rows.columns), default=0)
    for number, row in enumerate(rows.iter_rows(), start=1):
        out.rule(f"row {number}", align="left", style="dim")
        _print_block(rows.columns, row, names)


def _print_block(columns: Sequence[str], row: Sequence[object], names: int) -> None:
    """A line per column: the name, and as much of the value as the line holds."""
    room = max(out.width - names - 2, TEXT_WIDTHS[-1])
    for name, value in zip(columns, row, strict=True):
        text = _text(value)
        told = text if cell_len(text) <= room else f"{set_cell_size(text, room - 1)}…"
        out.print(f"[bold]{escape(set_cell_size(name, names))}[/]  {escape(told)}", soft_wrap=True)


def _print_left_out(rows: int, *, cut: bool) -> None:
    left = [_counted(rows, "more row")] if rows else []
    left += ["texts beyond what is shown"] if cut else []
    if left:
        out.print(f"[dim]left out: {', '.join(left)}; --out FILE.parquet, .csv or .json gives all[/]")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
