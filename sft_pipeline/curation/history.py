"""What was said before a request, as the judge sees it.

Belongs here: rendering the turns before a turn, cut to the plan's limits.
Does not belong here: the request itself (requests), how a prompt shows the history (clients.judges).
"""

import polars as pl

from sft_pipeline.curation.routers import History
from sft_pipeline.curation.rules import BLANK

CUT = "[...] "
"""Stands where the front of a history was cut off."""


def histories(turns: pl.DataFrame, limits: History) -> pl.Series:
    """What was said before each turn: the last turns before it, oldest first, and of them the last characters.

    A turn reads `User: ...` and `Assistant: ...`, a line each, without the one that said nothing; turns stand an empty
    line apart. `CUT` stands before what is left of a longer text, and does not count.

    Args:
        turns: conversationId, userMessage, modelMessage; the turns of a conversation in order.
        limits: how many turns, how many characters.
    """
    # One character more than is kept: a turn cut here is cut there, and no text is longer than it need be.
    said = turns.select("conversationId", said=_said().str.tail(limits.characters + 1))
    before = [pl.col("said").shift(turn).over("conversationId") for turn in range(limits.turns, 0, -1)]
    whole = pl.concat_str(before, separator="\n\n", ignore_nulls=True)
    cut = pl.lit(CUT) + whole.str.tail(limits.characters)
    history = pl.when(whole.str.len_chars() > limits.characters).then(cut).otherwise(whole)
    return said.select(history=history)["history"]


def _said() -> pl.Expr:
    """A turn as text; null where nobody said anything."""
    lines = [_line("User: ", "userMessage"), _line("Assistant: ", "modelMessage")]
    text = pl.concat_str(lines, separator="\n", ignore_nulls=True)
    return pl.when(text != "").then(text)


def _line(speaker: str, field: str) -> pl.Expr:
    seen = ~pl.col(field).str.contains(BLANK)
    return pl.when(seen).then(pl.concat_str(pl.lit(speaker), pl.col(field)))
