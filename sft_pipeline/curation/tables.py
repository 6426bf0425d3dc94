"""The tables of the pipeline as dataframely schemas: every column, its type and what it means.

Belongs here: columns, types, nullability, keys. Field names are those of the sources, in Kusto, Parquet and JSON alike.
Does not belong here: what makes a record valid (rules), how a column is computed (turns, sampling).
"""

import dataframely as dy
import polars as pl

CALL = dy.Struct(
    {
        "callIndex": dy.Int64(description="1, 2, ... within the turn"),
        "modelCallId": dy.String(nullable=True),
        "model": dy.String(nullable=True),
        "promptTokens": dy.Int64(nullable=True, description="the whole context of this call"),
        "promptTokenDelta": dy.Int64(nullable=True, description="tokens added since the call before, across turns"),
        "contextReset": dy.Bool(description="the context shrank: summary, truncation or another tokenizer"),
        "completionTokens": dy.Int64(nullable=True),
    }
)

TURN = dy.Struct(
    {
        "turnIndex": dy.Int64(description="1, 2, ..."),
        "messageId": dy.String(),
        "userMessage": dy.String(nullable=True),
        "modelMessage": dy.String(nullable=True, description="the final answer; empty after tool-only turns"),
        "model": dy.String(nullable=True),
        "responseType": dy.String(nullable=True),
        "numRequests": dy.Int64(nullable=True, description="rounds as the client counts them"),
        "toolCounts": dy.String(nullable=True, description="JSON object: tool -> calls"),
        "turnDurationMs": dy.Int64(nullable=True, description="includes waiting for a person"),
        "isContinuation": dy.Bool(description="a button press, not a request"),
        "llmCallCount": dy.Int64(),
        "promptTokens": dy.Int64(nullable=True, description="context of the last call"),
        "promptTokenDelta": dy.Int64(nullable=True, description="promptTokens less those of the turn before"),
        "completionTokens": dy.Int64(nullable=True, description="sum over the calls"),
        "llmCalls": dy.List(CALL),
    }
)

REPAIRS: tuple[str, ...] = (
    "duplicateMessages",
    "restoredMessages",
    "truncatedMessages",
    "retriedTurns",
    "subagentTurns",
    "continuationTurns",
    "finalMessages",
    "unattachedFinals",
)
"""What the query dropped or repaired, counted per conversation (docs/05_DATA_QUIRKS.md)."""

QUERY_COLUMNS = pl.Schema(
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
        "models": pl.String(),
        "dropReason": pl.String(),
        **dict.fromkeys(REPAIRS, pl.Int64()),
        "turnsArray": pl.String(),
    }
)
"""What the candidates query returns: one row per conversation looked at, `models` and `turnsArray` as JSON text."""


class Conversation(dy.Schema):
    """A complete agent conversation as curated: what is released, and what sampling needs of it."""

    conversationId = dy.String(primary_key=True, description="the chat session")
    userName = dy.String(nullable=True, description="a pseudonym, or personal data where the plan keeps names")
    split = dy.String(description="train, val or test, by the hash of the split key")
    bucket = dy.String(description="short, medium or long, by turnCount")
    priority = dy.Int64(description="rank key in sampling: lower comes first")
    turnCount = dy.Int64()
    minTurnIndex = dy.Int64()
    maxTurnIndex = dy.Int64()
    capturedTurnCount = dy.Int64()
    isComplete = dy.Bool(description="minTurnIndex is 1 and capturedTurnCount equals maxTurnIndex")
    promptTokens = dy.Int64(nullable=True, description="context of the last call that tells")
    completionTokens = dy.Int64(nullable=True, description="sum over the calls that tell")
    llmCallCount = dy.Int64()
    firstTime = dy.Datetime(time_zone="UTC", time_unit="us")
    lastTime = dy.Datetime(time_zone="UTC", time_unit="us")
    models = dy.List(dy.String())
    duplicateMessages = dy.Int64()
    restoredMessages = dy.Int64()
    truncatedMessages = dy.Int64()
    retriedTurns = dy.Int64()
    subagentTurns = dy.Int64()
    continuationTurns = dy.Int64()
    finalMessages = dy.Int64()
    unattachedFinals = dy.Int64()
    digest = dy.String(description="SHA-256 of the record as released")
    turnsArray = dy.List(TURN)


class RejectedConversation(dy.Schema):
    """A conversation that was looked at and left out, with the reason; no text, no user."""

    conversationId = dy.String(description="empty where the telemetry had none")
    split = dy.String(description="the split it would have belonged to")
    bucket = dy.String(description="empty outside the range of turns")
    turnCount = dy.Int64()
    dropReason = dy.String(description="`invalid` when it broke a fatal rule, else why the query dropped it")
    errors = dy.List(dy.String(), description="one sentence per broken rule")


class Candidate(dy.Schema):
    """A light row per candidate of a window: who it is, where it belongs, what it ranks; no text."""

    conversationId = dy.String(primary_key=True)
    userName = dy.String(nullable=True)
    turnCount = dy.Int64()
    bucket = dy.String()
    split = dy.String()
    priority = dy.Int64()
    rank = dy.Int64(description="0, 1, ... within its cell, by priority")
    chunk = dy.String(description="the chunk partition that holds its turns")
    digest = dy.String()


class Artifact(dy.Schema):
    """An uploaded file."""

    cell = dy.String(primary_key=True)
    path = dy.String(description="relative to the release folder")
    url = dy.String(description="where the bytes lie, content-addressed")
    records = dy.Int64()
    bytes = dy.Int64()
    md5 = dy.String()
    sha256 = dy.String()
    sampleVersion = dy.String(description="content version of the sample it was written from")


class PublishedRelease(dy.Schema):
    """A published release."""

    name = dy.String(primary_key=True)
    url = dy.String(description="its folder")
    records = dy.Int64()
    files = dy.Int64()


RECORD_FIELDS: tuple[str, ...] = (
    "conversationId",
    "userName",
    "split",
    "bucket",
    "turnCount",
    "minTurnIndex",
    "maxTurnIndex",
    "capturedTurnCount",
    "isComplete",
    "promptTokens",
    "completionTokens",
    "llmCallCount",
    "firstTime",
    "lastTime",
    "models",
    "turnsArray",
)
"""The fields of a released record, in their order in the file."""


def schema_of(table: type[dy.Schema]) -> pl.Schema:
    """The Polars schema of a table."""
    return pl.Schema({name: column.dtype for name, column in table.columns().items()})


CALL_SCHEMA = pl.Schema({name: column.dtype for name, column in CALL.inner.items()})
TURN_SCHEMA = pl.Schema({name: column.dtype for name, column in TURN.inner.items()})
