"""From query rows to conversations: nested JSON text becomes typed turns, token deltas are computed.

Belongs here: decoding, ordering and what is computed over the turns and calls of one conversation.
Does not belong here: which conversations qualify (the query and rules) or which are chosen (sampling).
"""

from itertools import accumulate
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.hashing import priorities, split_percents
from sft_pipeline.curation.json_texts import decoded
from sft_pipeline.curation.plan import ALL, Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.tables import CALL_SCHEMA, QUERY_COLUMNS, TURN_SCHEMA

_CALL_JSON = pl.Struct(
    {
        "time": pl.String(),
        "modelCallId": pl.String(),
        "model": pl.String(),
        "promptTokens": pl.Int64(),
        "completionTokens": pl.Int64(),
    }
)
_TURN_JSON = {name: dtype for name, dtype in TURN_SCHEMA.items() if name not in {"promptTokenDelta", "llmCalls"}}


class Decoded(NamedTuple):
    """The rows of one query, told apart: candidates with typed turns, dropped ones as they came."""

    candidates: pl.DataFrame
    dropped: pl.DataFrame


def decode(rows: pl.DataFrame) -> Decoded:
    """Tell candidates from dropped conversations and give the candidates typed, ordered turns.

    Args:
        rows: the answer of the candidates query, columns as `QUERY_COLUMNS`.

    Raises:
        Refused: a column is missing or has another type, or `turnsArray` does not hold turns.
    """
    _require_columns(rows)
    candidates = rows.filter(pl.col("dropReason").eq_missing(""))
    turns = _readable_turns(candidates)
    nested = turns.group_by("row", maintain_order=True).agg(pl.struct(TURN_SCHEMA.names()).alias("turnsArray"))
    typed = (
        candidates.drop("turnsArray", "dropReason")
        .with_row_index("row")
        .join(nested, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.col("turnsArray").fill_null([]),
            pl.col("models").replace("", None).str.json_decode(pl.List(pl.String())).fill_null([]).list.sort(),
            isComplete=(pl.col("minTurnIndex") == 1) & (pl.col("capturedTurnCount") == pl.col("maxTurnIndex")),
        )
        .drop("row")
    )
    return Decoded(typed, rows.filter(pl.col("dropReason").ne_missing("")).drop("turnsArray"))


def assign(conversations: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Add the split (by the hash of the split key) and the sampling priority."""
    return conversations.with_columns(
        expected_splits(conversations, plan).alias("split"),
        priorities(conversations["conversationId"], salt=plan.sample.salt),
    )


def expected_splits(conversations: pl.DataFrame, plan: Plan) -> pl.Series:
    """The split each row belongs to by the plan's shares."""
    if plan.split.by == "none":
        return pl.repeat(ALL, conversations.height, eager=True, dtype=pl.String())
    key = "userName" if plan.split.by == "user" else "conversationId"
    percents = split_percents(conversations[key].fill_null(""))
    bounds = list(zip(plan.splits, accumulate(plan.split.shares.values()), strict=True))
    splits = [next(split for split, bound in bounds if percent < bound) for percent in percents]
    return pl.Series("split", splits, pl.String())


def _require_columns(rows: pl.DataFrame) -> None:
    odd = {name: dtype for name, dtype in QUERY_COLUMNS.items() if rows.schema.get(name) != dtype}
    if odd:
        told = ", ".join(f"{name} ({rows.schema.get(name, 'missing')}, not {dtype})" for name, dtype in odd.items())
        raise Refused(
            f"the candidates query answered with other columns than the pipeline reads: {told}",
            remedy="compare the last project statement of the .kql file with docs/05_DATA_QUIRKS.md",
        )


def _readable_turns(candidates: pl.DataFrame) -> pl.DataFrame:
    try:
        return _with_calls(_turns(candidates))
    except pl.exceptions.ComputeError:
        ids = candidates["conversationId"].fill_null("null")
        odd = [ids[row] for row in range(candidates.height) if not _is_readable(candidates.slice(row, 1))]
        told = ", ".join(odd[:5]) or "some nested as objects and others as strings"
        raise Refused(
            f"turnsArray holds something else than turns in {len(odd) or candidates.height} conversations: {told}",
            remedy="compare what the .kql file packs into turnsArray with docs/05_DATA_QUIRKS.md",
        ) from None  # the cause quotes the text that it could not read


def _is_readable(row: pl.DataFrame) -> bool:
    try:
        _with_calls(_turns(row))
    except pl.exceptions.ComputeError:
        return False
    return True


def _turns(candidates: pl.DataFrame) -> pl.DataFrame:
    """One row per turn, in order, calls as a list; `row` is the conversation's row."""
    texts = candidates.select("turnsArray").with_row_index("row").filter(pl.col("turnsArray").str.len_bytes() > 2)
    calls = pl.List(pl.String() if _holds_strings(texts) else _CALL_JSON)
    return _exploded(texts, "turnsArray", pl.Struct({**_TURN_JSON, "llmCalls": calls})).sort("row", "turnIndex")


def _exploded(frame: pl.DataFrame, column: str, element: pl.Struct) -> pl.DataFrame:
    """A row per element of a column of JSON arrays, the element's fields as columns.

    Kusto nests objects in the array; the embedded engine nests them as strings that hold objects.
    """
    if frame.schema[column] == pl.String():
        array = pl.List(pl.String()) if _holds_strings(frame) else pl.List(element)
        frame = frame.with_columns(decoded(frame[column], array))
    elements = frame.explode(column).drop_nulls(column)
    if elements.schema[column] == pl.String():
        elements = elements.with_columns(decoded(elements[column], element))
    return elements.unnest(column)


def _holds_strings(texts: pl.DataFrame) -> bool:
    return bool(texts["turnsArray"].str.starts_with('["').any())


def _with_calls(turns: pl.DataFrame) -> pl.DataFrame:
    """Turns with their calls typed, ordered, numbered, and token deltas over the whole conversation."""
    calls = (
        turns.with_row_index("turn")
        .select("row", "turn", "llmCalls")
        .pipe(_exploded, "llmCalls", _CALL_JSON)
        .sort("turn", pl.col("time").str.strip_chars_end("Z"), "modelCallId")  # 00Z before 00.5Z
        .with_columns(_delta("promptTokens").over("row").alias("promptTokenDelta"))
        .with_columns(
            callIndex=pl.int_range(1, pl.len() + 1, dtype=pl.Int64()).over("turn"),
            contextReset=(pl.col("promptTokenDelta") < 0).fill_null(value=False),
        )
        .group_by("turn", maintain_order=True)
        .agg(pl.struct(CALL_SCHEMA.names()).alias("llmCalls"))
    )
    return (
        turns.drop("llmCalls")
        .with_row_index("turn")
        .join(calls, on="turn", how="left", maintain_order="left")
        .with_columns(
            pl.col("llmCalls").fill_null([]),
            promptTokenDelta=_delta("promptTokens").over("row"),
        )
    )


def _delta(tokens: str) -> pl.Expr:
    """Tokens less those of the row before; the first row's own for the first."""
    first = pl.int_range(pl.len()) == 0
    return pl.when(first).then(pl.col(tokens)).otherwise(pl.col(tokens) - pl.col(tokens).shift(1))
