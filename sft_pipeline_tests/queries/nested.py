"""Answers of the nested production queries: what they must be, and what they are, as one typed table.

Belongs here: conversations with turns, whole and partial, with the deltas that docs/05_DATA_QUIRKS.md defines.
Does not belong here: the rules that make turns of events (reference_curation), asking the queries.
"""

from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson
import polars as pl

from sft_pipeline_tests import reference_curation as rules
from sft_pipeline_tests.answers import ANSWER, CALL_FIELDS, TURN_FIELDS

Row = dict[str, Any]

CALL = {**CALL_FIELDS, "promptTokenDelta": pl.Int64(), "contextReset": pl.Boolean()}
TURN = {**TURN_FIELDS, "promptTokenDelta": pl.Int64(), "llmCalls": pl.List(pl.Struct(CALL))}
NESTED = pl.Schema({**ANSWER, "isComplete": pl.Boolean(), "turnsArray": pl.List(pl.Struct(TURN))})
"""A conversation with deltas, one row each, turns and calls in order."""


def expected_nested(events: pl.DataFrame, *, window_start: datetime, window_end: datetime) -> pl.DataFrame:
    """Every conversation looked at that has a turn, in order of conversationId."""
    judged = rules.reference_candidates(events, window_start=window_start, window_end=window_end)
    in_window = events.filter(pl.col("TimeGenerated").is_between(window_start, window_end, closed="left"))
    turns = {row["conversationId"]: with_deltas(row["turnsArray"]) for row in _turns(in_window).iter_rows(named=True)}
    rows = [
        {**row, "isComplete": _is_complete(row), "turnsArray": turns[row["conversationId"]]}
        for row in judged.iter_rows(named=True)
        if row["turnCount"]
    ]
    return pl.DataFrame(rows, schema=NESTED)


def with_deltas(turns: list[Row]) -> list[Row]:
    """The turns of a conversation, in order, with what each and each of their calls added to the context."""
    call_deltas = iter(_deltas([call for turn in turns for call in turn["llmCalls"]]))
    return [
        {**turn, "promptTokenDelta": delta, "llmCalls": [_with_delta(call, next(call_deltas)) for call in calls]}
        for turn, delta in zip(turns, _deltas(turns), strict=True)
        for calls in [turn["llmCalls"]]
    ]


def typed_nested(rows: pl.DataFrame) -> pl.DataFrame:
    """The query's flat answer, in order of conversationId; turns and calls in the order of their own numbers."""
    typed = [
        {**row, "models": orjson.loads(row["models"]), "turnsArray": turns_of(row["turnsArray"])}
        for row in rows.iter_rows(named=True)
    ]
    return pl.DataFrame(typed, schema=NESTED).sort("conversationId")


def turns_of(text: str) -> list[Row]:
    """The objects of a `turnsArray`; its calls are in order of time where they have no number."""
    turns = sorted(_objects(orjson.loads(text)), key=lambda turn: turn["turnIndex"])
    return [{**turn, "llmCalls": sorted(_objects(turn["llmCalls"] or []), key=_call_order)} for turn in turns]


def _turns(seen: pl.DataFrame) -> pl.DataFrame:
    """Rules 3 to 9 for every conversation, whatever becomes of it."""
    events = rules.decoded(seen)
    messages = rules.distinct_messages(rules.message_copies(events))
    own = messages.join(rules.subagent_messages(events), on=rules.MESSAGE, how="anti")
    told = (
        rules.latest_attempts(own)
        .join(rules.metrics(events), on=rules.MESSAGE, how="left")
        .join(rules.calls(events), on=rules.MESSAGE, how="left")
    )
    finals = rules.final_answers(told, rules.orphan_messages(messages, own))
    return rules.totals(rules.with_fallbacks(told, finals, own)).select("conversationId", "turnsArray")


def _is_complete(row: Row) -> bool:
    return row["minTurnIndex"] == 1 and row["capturedTurnCount"] == row["maxTurnIndex"]


def _deltas(items: list[Row]) -> list[int | None]:
    tokens: list[int | None] = [item["promptTokens"] for item in items]
    later = [None if one is None or other is None else other - one for one, other in pairwise(tokens)]
    return [*tokens[:1], *later]


def _with_delta(call: Row, delta: int | None) -> Row:
    return {**call, "promptTokenDelta": delta, "contextReset": delta is not None and delta < 0}


def _objects(items: list[Any]) -> list[Row]:
    """Engines nest objects as they are or as strings that hold them."""
    return [orjson.loads(item) if isinstance(item, str) else item for item in items]


def _call_order(call: Row) -> tuple[int, str, str]:
    return call.get("callIndex", 0), call["time"], call["modelCallId"]
