"""Hand-written conversations, as the query answers them and as they are curated. Nothing here is a fixture.

Belongs here: rows that are right in every field, to be changed in one, and the frames they make.
Does not belong here: raw events (scenario.py).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import polars as pl

from sft_pipeline.curation.hashing import chunk_of, priority_of, split_percent
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.tables import QUERY_COLUMNS, REPAIRS, Candidate, Conversation, schema_of
from sft_pipeline.plans import read_plan

Row = dict[str, Any]
"""One row, turn or call by field name."""

BEGIN = datetime(2025, 8, 2, 9, 30, tzinfo=UTC)


def with_names(plan: Plan) -> Plan:
    """The same, user names as they are."""
    return plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"user_names": "as_is"})})


PSEUDONYMOUS = read_plan("test")
PLAN = with_names(PSEUDONYMOUS)
"""1 day, 4 chunks, 83/9/8; cells of 32/32/16 and 4/4/2."""
BY_USER = PLAN.model_copy(update={"split": PLAN.split.model_copy(update={"by": "user"})})
"""The same, all conversations of a user in one split."""


def user_of(conversation_id: str) -> str:
    """A user for each conversation, by a name that is a pseudonym too."""
    return f"user-{sha256(conversation_id.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def call_json(number: int, **fields: Any) -> Row:
    """A model call as the query packs it: a hundred tokens of context more than the call before."""
    return {
        "time": f"2025-08-02T09:30:{number:02d}.0000000Z",
        "modelCallId": f"call-{number}",
        "model": "gpt-5",
        "promptTokens": 100 * number,
        "completionTokens": 10,
        **fields,
    }


def turn_json(index: int, **fields: Any) -> Row:
    """A turn as the query packs it, with one call."""
    return {
        "turnIndex": index,
        "messageId": f"message-{index}",
        "userMessage": f"question {index}",
        "modelMessage": f"answer {index}",
        "model": "gpt-5",
        "responseType": "success",
        "numRequests": 1,
        "toolCounts": "{}",
        "turnDurationMs": 2000,
        "isContinuation": False,
        "llmCallCount": 1,
        "promptTokens": 100 * index,
        "completionTokens": 10,
        "llmCalls": [call_json(index)],
        **fields,
    }


def nested_as_objects(turns: Sequence[Mapping[str, Any]], *, ascii_only: bool = False) -> str:
    """Turns as Kusto nests them: an array of objects."""
    return json.dumps(turns, ensure_ascii=ascii_only, separators=(",", ":"))


def nested_as_strings(turns: Sequence[Mapping[str, Any]], *, ascii_only: bool = False) -> str:
    """Turns as the embedded engine nests them: arrays of strings that hold objects."""
    packed = [{**turn, "llmCalls": [json.dumps(call) for call in turn["llmCalls"]]} for turn in turns]
    return json.dumps([json.dumps(turn, ensure_ascii=ascii_only) for turn in packed], ensure_ascii=ascii_only)


def query_row(conversation_id: str, *, turns: int = 3, **fields: Any) -> Row:
    """A candidate as the query answers it, right in every field."""
    return {
        "conversationId": conversation_id,
        "userName": user_of(conversation_id),
        "turnCount": turns,
        "minTurnIndex": 1,
        "maxTurnIndex": turns,
        "capturedTurnCount": turns,
        "bucket": bucket_of(turns),
        "promptTokens": 100 * turns,
        "completionTokens": 10 * turns,
        "llmCallCount": turns,
        "firstTime": BEGIN,
        "lastTime": BEGIN + timedelta(minutes=turns),
        "models": '["gpt-5"]',
        "dropReason": "",
        **dict.fromkeys(REPAIRS, 0),
        "turnsArray": nested_as_objects([turn_json(index) for index in range(1, turns + 1)]),
        **fields,
    }


def query_rows(*rows: Row) -> pl.DataFrame:
    """The query's answer, columns of `QUERY_COLUMNS`."""
    return pl.DataFrame(rows, schema=QUERY_COLUMNS)


def turn(index: int, **fields: Any) -> Row:
    """A curated turn, with one call."""
    numbered = {"callIndex": 1, "promptTokenDelta": 100, "contextReset": False}
    call = {name: value for name, value in call_json(index).items() if name != "time"}
    return {**turn_json(index), "promptTokenDelta": 100, "llmCalls": [{**call, **numbered}], **fields}


def turns_up_to(count: int) -> list[Row]:
    """Turns 1 ... count."""
    return [turn(index) for index in range(1, count + 1)]


def conversation(conversation_id: str, *, turns: int = 3, plan: Plan = PLAN, **fields: Any) -> Row:
    """A curated conversation that breaks no rule; its digest is left to `with_digests`."""
    queried = query_row(conversation_id, turns=turns)
    del queried["dropReason"]
    return {
        **queried,
        "split": split_of(conversation_id, plan),
        "priority": priority_of(conversation_id, salt=plan.sample.salt),
        "isComplete": True,
        "models": ["gpt-5"],
        "digest": f"digest of {conversation_id}",
        "turnsArray": turns_up_to(turns),
        **fields,
    }


def conversations(*rows: Row) -> pl.DataFrame:
    """Curated conversations, columns of `Conversation`."""
    return pl.DataFrame(rows, schema=schema_of(Conversation))


def candidate(conversation_id: str, *, turns: int = 3, chunk: str = "0-of-4", **fields: Any) -> Row:
    """A light row of a conversation, as the chunks hold it: not ranked yet."""
    return {
        "conversationId": conversation_id,
        "userName": user_of(conversation_id),
        "turnCount": turns,
        "bucket": bucket_of(turns),
        "split": split_of(conversation_id, PLAN),
        "priority": priority_of(conversation_id, salt=PLAN.sample.salt),
        "chunk": chunk,
        "digest": f"digest of {conversation_id}",
        **fields,
    }


def light_rows(*rows: Row) -> pl.DataFrame:
    """What `aggregate` reads: columns of `Candidate` but for the rank."""
    schema = {name: dtype for name, dtype in schema_of(Candidate).items() if name != "rank"}
    return pl.DataFrame(rows, schema=schema)


def bucket_of(turns: int) -> str:
    """The bucket of a number of turns, written out once more; empty outside the range."""
    for name, fewest, most in (("short", 3, 5), ("medium", 6, 10), ("long", 11, 20)):
        if fewest <= turns <= most:
            return name
    return ""


def split_of(conversation_id: str, plan: Plan) -> str:
    """The split of a conversation, written out once more for the shares 83/9/8."""
    if plan.split.by == "none":
        return "all"
    percent = split_percent(conversation_id)
    return "train" if percent < 83 else "val" if percent < 92 else "test"


def some_id(*, split: str, chunk: int) -> str:
    """A conversationId of a split and a chunk of `PLAN`."""
    ids = (f"c-{number}" for number in range(1000))
    count = PLAN.chunks.count
    return next(text for text in ids if split_of(text, PLAN) == split and chunk_of(text, count) == chunk)
