"""SFT lines: a training row as one line of OpenAI's chat format for fine-tuning, written and strictly read.

Belongs here: the system prompt, the shape of a line, and what makes a line an odd one.
Does not belong here: which rows there are (balancing), how long a line may be (line_tokens), files (clients).
"""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

import polars as pl

SYSTEM_PROMPT = (
    "Assess whether the user request requires a reasoning-capable LLM."
    "\n\tOutput 1 if a non-reasoning model is sufficient."
    "\n\tOutput 0 if a reasoning model is required."
    "\n\tRespond with a single digit: 0 or 1."
)

ROWS_PER_PIECE = 5000

LINE_BREAKS = ("\x85", "\u2028", "\u2029")
"""They stand as they are in JSON, but some readers of lines break at them: here they are written as escapes."""

SFT_LINE = pl.Schema({"content": pl.String(), "label": pl.Int64()})
"""What a line holds beside its fixed shape."""


class SftLines(NamedTuple):
    """The lines that are as they should be (`SFT_LINE`, in order), and the numbers of the others, from 1."""

    rows: pl.DataFrame
    odd: list[int]


def sft_lines(training: pl.DataFrame) -> bytes:
    """Training rows (`content`, `label`) as JSON lines, in row order: messages of system, user and assistant.

    Raises:
        polars.exceptions.InvalidOperationError: a label is neither 0 nor 1.
    """
    messages = pl.concat_list(
        _message("system", pl.lit(SYSTEM_PROMPT)),
        _message("user", pl.col("content")),
        _message("assistant", pl.col("label").replace_strict({0: "0", 1: "1"}, return_dtype=pl.String())),
    )
    buffer = BytesIO()
    training.select(messages=messages).write_ndjson(buffer)
    lines = buffer.getvalue()
    for character in LINE_BREAKS:
        lines = lines.replace(character.encode(), f"\\u{ord(character):04x}".encode())
    return lines


def sft_pieces(training: pl.LazyFrame | pl.DataFrame, *, rows: int = ROWS_PER_PIECE) -> Iterator[bytes]:
    """The same bytes as `sft_lines`, in pieces of whole lines, so that a large set is never whole in memory as text."""
    frame = training.lazy().select("content", "label")
    height = frame.select(pl.len()).collect().item()
    for offset in range(0, height, rows):
        yield sft_lines(frame.slice(offset, rows).collect())


def parse_sft_lines(lines: bytes) -> SftLines:
    """Read whole lines strictly: these keys and no others, in this order, this prompt, these roles, "0" or "1"."""
    split = lines.split(b"\n")
    if not split[-1]:
        split.pop()
    read = [_read(line) for line in split]
    rows = pl.DataFrame([row for row in read if row], schema=SFT_LINE, orient="row")
    return SftLines(rows, [number for number, row in enumerate(read, 1) if row is None])


def _message(role: str, content: pl.Expr) -> pl.Expr:
    return pl.struct(role=pl.lit(role), content=content)


def _read(line: bytes) -> tuple[str, int] | None:
    """The content and the label of a line; None for an odd one.

    Objects are read as tuples of pairs, so that order and repeated keys show.
    """
    try:
        found = json.loads(line.decode(), object_pairs_hook=tuple)
        match found:
            case ((_, [_, (_, (_, str(content))), (_, (_, ("0" | "1") as label))]),):
                content.encode()  # JSON can name half a surrogate pair, which is no text in any encoding
                return (content, int(label)) if found == _shape(content, label) else None
            case _:
                return None
    except (ValueError, RecursionError):
        return None


def _shape(content: str, label: str) -> object:
    roles = (("system", SYSTEM_PROMPT), ("user", content), ("assistant", label))
    return (("messages", [(("role", role), ("content", said)) for role, said in roles]),)
