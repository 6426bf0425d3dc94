"""The answer of the query over first turns, computed a second time from conversations with their turns.

Belongs here: which first turns are requests, and what is told of each.
Does not belong here: the conversations (nested).
"""

from typing import Any, cast

import orjson
import polars as pl

from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.rules import BLANK


def expected_requests(candidates: pl.DataFrame, *, salt: str) -> list[dict[str, Any]]:
    """The first turns that are requests, with the columns of the query, lowest priority first."""
    requests = [_first_turn(row, salt) for row in candidates.iter_rows(named=True) if _is_request(row)]
    return sorted(requests, key=lambda row: row["priority"])


def _is_request(row: dict[str, Any]) -> bool:
    first = row["turnsArray"][0]
    blank = pl.select(pl.lit(first["userMessage"]).str.contains(BLANK)).item()
    return not blank and not first["isContinuation"]


def _first_turn(row: dict[str, Any], salt: str) -> dict[str, Any]:
    """A candidate's first turn with the columns of the query."""
    first = row["turnsArray"][0]
    tools = _tool_counts(first["toolCounts"])
    return {
        "conversationId": row["conversationId"],
        "userName": row["userName"],
        **{name: first[name] for name in ("messageId", "turnIndex", "userMessage")},
        "model": first["model"] or "",
        "responseType": first["responseType"] or "",
        "numRequests": first["numRequests"],
        "toolCounts": first["toolCounts"],
        "toolDiversity": len(tools),
        "toolCalls": sum(int(count or 0) for count in tools.values()),
        **{name: first[name] for name in ("turnDurationMs", "llmCallCount", "promptTokens", "promptTokenDelta")},
        **{name: first[name] for name in ("completionTokens", "isContinuation")},
        **{name: row[name] for name in ("turnCount", "bucket")},
        "priority": priority_of(row["conversationId"], salt=salt),
    }


def _tool_counts(text: str) -> dict[str, Any]:
    """Tool -> calls; none where the text holds no object."""
    try:
        told: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
