"""Asks as rows of a table and as lines of a journal, and what several asks of one question come to.

Belongs here: the columns and both directions.
Does not belong here: where they are kept (store), what an answer is worth (curation.judging).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

import orjson
import polars as pl

from sft_pipeline.curation.judging import CONFLICT, Ask

ASK_COLUMNS: dict[str, pl.DataType] = {
    "key": pl.String(),
    "attempt": pl.Int64(),
    "label": pl.Int64(),
    "probability": pl.Float64(),
    "reason": pl.String(),
    "servedModel": pl.String(),
    "promptTokens": pl.Int64(),
    "completionTokens": pl.Int64(),
    "cost": pl.Float64(),
    "mode": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "run": pl.String(),
}
"""In the order of the fields of `Ask`."""

_fields = attrgetter(
    *("key", "attempt", "label", "probability", "reason", "served_model"),
    *("prompt_tokens", "completion_tokens", "cost", "mode", "at", "run"),
)

_ALWAYS = ("key", "attempt", "promptTokens", "completionTokens", "cost", "mode", "at", "run")


def asks_table(asks: Iterable[Ask]) -> pl.DataFrame:
    """A row per ask."""
    return pl.DataFrame([_fields(ask) for ask in asks], schema=ASK_COLUMNS, orient="row")


def ask_line(ask: Ask) -> bytes:
    """The ask as one line of JSON."""
    return orjson.dumps(dict(zip(ASK_COLUMNS, _fields(ask), strict=True)), option=orjson.OPT_APPEND_NEWLINE)


def read_ask_lines(lines: bytes) -> pl.DataFrame:
    """The inverse of `ask_line`, for any number of lines.

    Raises:
        polars.exceptions.PolarsError: a line is none of an ask.
    """
    rows = pl.read_ndjson(lines, schema={**ASK_COLUMNS, "at": pl.String()})
    if any(rows[name].null_count() for name in _ALWAYS):
        msg = "a line lacks what every ask has"
        raise pl.exceptions.SchemaError(msg)
    return rows.with_columns(pl.col("at").str.to_datetime("%+", time_unit="us", time_zone="UTC"))


def asks_by_key(rows: pl.DataFrame) -> dict[str, list[Ask]]:
    """The asks of each key up to the one that decides, one per attempt, in order of attempts.

    Of several of one attempt a label goes before none and the earliest before later ones; two labels are a conflict.
    """
    found: dict[str, list[Ask]] = {}
    for row in rows.sort("key", "attempt", "label", "at", "run", nulls_last=True).iter_rows():
        ask = Ask(*row)
        asks = found.setdefault(ask.key, [])
        if not asks or asks[-1].attempt != ask.attempt:
            asks.append(ask)
        elif ask.label not in {None, asks[-1].label}:
            asks[-1] = replace(asks[-1], label=None, probability=None, reason=CONFLICT)
    return {key: _up_to_decision(asks) for key, asks in found.items()}


def decided(asks: Sequence[Ask]) -> Ask | None:
    """The first ask that decides, a conflict among them; None while one more asking is due."""
    return next((ask for ask in asks if ask.decides or ask.reason == CONFLICT), None)


def _up_to_decision(asks: list[Ask]) -> list[Ask]:
    decision = decided(asks)
    return asks[: asks.index(decision) + 1] if decision else asks
