"""What SFT lines and label tables hold: light facts that add up over a file, without any text.

Belongs here: taking the facts, joining those of consecutive runs, and whether a table is a label table at all.
Does not belong here: what must be true of them (sft_audit), reading files (clients.sft_verification).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from sft_pipeline.curation.line_tokens import estimated_line_tokens
from sft_pipeline.curation.requests import content_key
from sft_pipeline.curation.router_tables import TRAINING_TABLE_FIELDS, TrainingRow
from sft_pipeline.curation.secrets import holds_secret
from sft_pipeline.curation.sft_lines import parse_sft_lines
from sft_pipeline.curation.tables import schema_of
from sft_pipeline.curation.validating import IDS_SHOWN

LINE_FACTS = pl.Schema(
    {
        "line": pl.Int64(),
        "label": pl.Int64(),
        "contentKey": pl.String(),
        "tokens": pl.Int64(),
        "secret": pl.Boolean(),
    }
)
"""What is kept of a line: its number, from 1, and what follows from its text."""

LABEL_TABLE = pl.Schema({name: schema_of(TrainingRow)[name] for name in TRAINING_TABLE_FIELDS})
"""The columns of the table beside an SFT file."""


@dataclass(frozen=True)
class LineSurvey:
    """The facts of a run of lines.

    Args:
        lines: how many line ends there are.
        odd: the numbers, from 1, of the first lines that are no SFT lines.
        rows: `LINE_FACTS` of the others, in order.
    """

    lines: int
    odd: tuple[int, ...]
    rows: pl.DataFrame


def survey_sft_lines(lines: bytes) -> LineSurvey:
    """Read lines; a last one without its line feed is odd."""
    rows, odd = parse_sft_lines(lines)
    ends = lines.count(b"\n")
    numbers = pl.int_range(1, rows.height + len(odd) + 1, dtype=pl.Int64(), eager=True)
    facts = rows.select(
        numbers.filter(~numbers.is_in(odd)).alias("line"),
        "label",
        pl.Series("contentKey", [content_key(text) for text in rows["content"]], pl.String()),
        tokens=estimated_line_tokens(pl.col("content")),
        secret=holds_secret(pl.col("content")),
    ).match_to_schema(LINE_FACTS)
    if lines and not lines.endswith(b"\n"):
        odd = sorted({*odd, numbers.len()})
        facts = facts.filter(pl.col("line") != numbers.len())
    return LineSurvey(ends, tuple(odd[:IDS_SHOWN]), facts)


def join_line_surveys(surveys: Iterable[LineSurvey]) -> LineSurvey:
    """The facts of consecutive runs as those of one."""
    lines, odd = 0, list[int]()
    rows = [pl.DataFrame(schema=LINE_FACTS)]
    for survey in surveys:
        odd += [lines + number for number in survey.odd]
        rows.append(survey.rows.with_columns(pl.col("line") + lines))
        lines += survey.lines
    return LineSurvey(lines, tuple(odd[:IDS_SHOWN]), pl.concat(rows, rechunk=True))


def odd_columns(schema: pl.Schema) -> str:
    """What speaks against a label table's columns: nothing where they are those of `LABEL_TABLE`, in order."""
    odd = [name for name in {**LABEL_TABLE, **schema} if schema.get(name) != LABEL_TABLE.get(name)]
    if odd:
        return f"has other columns: {', '.join(sorted(odd)[:IDS_SHOWN])}"
    return "" if schema.names() == LABEL_TABLE.names() else "has its columns in another order"


def odd_nulls(table: pl.DataFrame) -> str:
    """What speaks against a label table's nulls: nothing where they stand in columns that may have them."""
    required = [name for name, column in TrainingRow.columns().items() if not column.nullable and name in table.columns]
    odd = [name for name in required if table[name].null_count()]
    return f"lacks values of {', '.join(odd[:IDS_SHOWN])}" if odd else ""
