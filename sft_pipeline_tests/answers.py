"""Answers to the candidates query, typed and compared.

Belongs here: the columns of an answer, nested JSON text as typed values, and a first difference that names ids and
never shows texts.
Does not belong here: how either answer is computed.
"""

from collections.abc import Iterator
from typing import Any, cast

import orjson
import polars as pl

from sft_pipeline.curation.tables import REPAIRS

CALL_FIELDS = {
    "callIndex": pl.Int64(),
    "modelCallId": pl.String(),
    "model": pl.String(),
    "promptTokens": pl.Int64(),
    "completionTokens": pl.Int64(),
}
TURN_FIELDS = {
    "turnIndex": pl.Int64(),
    "messageId": pl.String(),
    "userMessage": pl.String(),
    "modelMessage": pl.String(),
    "model": pl.String(),
    "responseType": pl.String(),
    "numRequests": pl.Int64(),
    "toolCounts": pl.String(),
    "turnDurationMs": pl.Int64(),
    "isContinuation": pl.Boolean(),
    "llmCallCount": pl.Int64(),
    "promptTokens": pl.Int64(),
    "completionTokens": pl.Int64(),
    "llmCalls": pl.List(pl.Struct(CALL_FIELDS)),
}
ANSWER = pl.Schema(
    {
        "conversationId": pl.String(),
        "userName": pl.String(),
        "turnCount": pl.Int64(),
        "minTurnIndex": pl.Int64(),
        "maxTurnIndex": pl.Int64(),
        "capturedTurnCount": pl.Int64(),
        "bucket": pl.String(),
        "promptTokens": pl.Int64(),
        "completionTokens": pl.Int64(),
        "llmCallCount": pl.Int64(),
        "firstTime": pl.Datetime("us", "UTC"),
        "lastTime": pl.Datetime("us", "UTC"),
        "models": pl.List(pl.String()),
        "dropReason": pl.String(),
        **dict.fromkeys(REPAIRS, pl.Int64()),
        "turnsArray": pl.List(pl.Struct(TURN_FIELDS)),
    }
)
"""An answer with typed turns, one row per conversation looked at."""
SHOWN = 60
"""Longest text that a difference shows."""


def typed_answer(rows: pl.DataFrame) -> pl.DataFrame:
    """The query's flat answer with the columns of the reference's, in order of conversationId."""
    typed = [
        {**row, "models": sorted(_elements(row["models"])), "turnsArray": _turns(row["turnsArray"])}
        for row in rows.select(ANSWER.names()).iter_rows(named=True)
    ]
    return pl.DataFrame(typed, schema=ANSWER).sort("conversationId")


def first_difference(left: pl.DataFrame, right: pl.DataFrame) -> str:
    """Where two answers differ first: conversation, field, both values; empty when they are equal."""
    if left.schema != right.schema:
        return f"schemas differ: {left.schema} and {right.schema}"
    for name, one, other in (("second", left, right), ("first", right, left)):
        missing = one.join(other, on="conversationId", how="anti")["conversationId"].to_list()
        if missing:
            return f"{len(missing)} conversations are not in the {name} answer, such as {missing[0]!r}"
    rows = zip(left.iter_rows(named=True), right.iter_rows(named=True), strict=True)
    differing = [row for row in rows if row[0] != row[1]]
    if not differing:
        return ""
    found = next(_differences(*differing[0], ""))
    return f"{len(differing)} conversations differ; in {differing[0][0]['conversationId']!r}, {found}"


def _turns(text: str | None) -> list[dict[str, Any]]:
    turns = sorted(_elements(text), key=lambda turn: turn["turnIndex"])
    return [{**{name: turn.get(name) for name in TURN_FIELDS}, "llmCalls": _calls(turn["llmCalls"])} for turn in turns]


def _calls(value: object) -> list[dict[str, Any]]:
    calls = sorted(_elements(value), key=lambda call: (call["time"], call["modelCallId"]))
    numbered = enumerate(calls, start=1)
    return [{name: {**call, "callIndex": number}.get(name) for name in CALL_FIELDS} for number, call in numbered]


def _elements(value: object) -> list[Any]:
    """A JSON array; engines nest objects as they are or as strings that hold them."""
    array = cast("list[Any]", orjson.loads(value) if isinstance(value, str) and value else value or [])
    return [orjson.loads(item) if isinstance(item, str) and item.startswith("{") else item for item in array]


def _differences(left: object, right: object, path: str) -> Iterator[str]:
    match left, right:
        case dict(), dict():
            ones, others = cast("dict[str, object]", left), cast("dict[str, object]", right)
            for name, one in ones.items():
                yield from _differences(one, others[name], f"{path}.{name}")
        case list(), list() if len(cast("list[object]", left)) == len(cast("list[object]", right)):
            pairs = zip(cast("list[object]", left), cast("list[object]", right), strict=True)
            for number, (one, other) in enumerate(pairs):
                yield from _differences(one, other, f"{path}[{number}]")
        case _:
            if left != right:
                yield f"{path.lstrip('.')}: {_shown(left)} and {_shown(right)}{_where(left, right)}"


def _shown(value: object) -> str:
    match value:
        case str() if len(value) > SHOWN:
            return f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(cast('list[object]', value))}"
        case _:
            return repr(value)


def _where(left: object, right: object) -> str:
    if not (isinstance(left, str) and isinstance(right, str)):
        return ""
    common = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    return f" (from character {common} on)"
