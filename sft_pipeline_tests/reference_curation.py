"""The production query's answer, computed a second time from docs/05_DATA_QUIRKS.md in plain Polars.

Belongs here: the rules in the order of that page, one function each, clear before fast.
Does not belong here: anything that is shared with the query, or derived from it.
"""

from datetime import datetime

import polars as pl

from sft_pipeline.curation.tables import REPAIRS
from sft_pipeline.telemetry.events import ENGINE_MESSAGES, MESSAGE_TEXT, TOOL_CALL_DETAILS
from sft_pipeline_tests.answers import ANSWER, CALL_FIELDS, TURN_FIELDS

TEXT_PARTS = ["messageText", *(f"messageText_{part:02d}" for part in range(2, 51))]
TEXTS = [
    "conversationId", "messageId", "source", "turnIndex", "mode", "common.userName", "subType", "message_direction",
    "messageSource", "modelCallId", "baseModel", "responseType", "toolCounts", "model", *TEXT_PARTS,
]  # fmt: skip
NUMBERS = ["messageCharLen", "promptTokens", "completionTokens", "numRequests", "turnDuration"]
BUTTONS = ["continue", "continue to iterate?", "try again", "switch to auto"]
CONVERSATION = ["conversationId"]
MESSAGE = ["conversationId", "messageId"]
TURN = ["conversationId", "turnIndex"]


def reference_candidates(
    events: pl.DataFrame, *, window_start: datetime, window_end: datetime, min_turns: int = 3, max_turns: int = 20
) -> pl.DataFrame:
    """One row per conversation looked at, candidates and dropped ones, in order of conversationId."""
    seen = decoded(events.filter(pl.col("TimeGenerated").is_between(window_start, window_end, closed="left")))
    copies = message_copies(seen)
    messages = distinct_messages(copies)
    subagents = subagent_messages(seen)
    own = messages.join(subagents, on=MESSAGE, how="anti")
    turns = latest_attempts(own).join(metrics(seen), on=MESSAGE, how="left").join(calls(seen), on=MESSAGE, how="left")
    orphans = orphan_messages(messages, own)
    finals = final_answers(turns, orphans)
    told = with_fallbacks(turns, finals, own)
    counts = (
        message_counts(messages),
        count(messages.filter(source="user").join(subagents, on=MESSAGE, how="semi"), "subagentTurns"),
        count(told.filter("isContinuation"), "continuationTurns"),
        count(finals, "finalMessages"),
        count(orphans.join(finals, on=MESSAGE, how="anti"), "unattachedFinals"),
    )
    gathered = beside(in_scope(copies), totals(told), other_modes(own), *counts)
    return answer(gathered, drop_reason(min_turns, max_turns))


def decoded(events: pl.DataFrame) -> pl.DataFrame:
    """The properties and measurements that the rules read, as columns; empty is missing, but for ids."""
    properties = pl.col("Properties").str.json_decode(pl.Struct(dict.fromkeys(TEXTS, pl.String())))
    measurements = pl.col("Measurements").str.json_decode(pl.Struct(dict.fromkeys(NUMBERS, pl.Float64())))
    return (
        events.select(time="TimeGenerated", event="Name", properties=properties, measurements=measurements)
        .unnest("properties", "measurements")
        .with_columns(pl.col(TEXTS).replace("", None), pl.col(NUMBERS).cast(pl.Int64))
        .with_columns(pl.col(*MESSAGE, "modelCallId").fill_null(""))
    )


def message_copies(seen: pl.DataFrame) -> pl.DataFrame:
    """Rule 1: every user and model message as often as it was delivered, its turnIndex counted from 1."""
    told = seen.filter(pl.col("event") == MESSAGE_TEXT, pl.col("source").is_in(["user", "model"]))
    parts = pl.when(pl.col("messageText_02").is_not_null()).then(pl.concat_str(pl.col(TEXT_PARTS).fill_null("")))
    return told.select(
        pl.col(*MESSAGE, "source", "time", "mode", "messageCharLen"),
        turnIndex=pl.col("turnIndex").cast(pl.Int64, strict=False) + (pl.col("source") == "user").cast(pl.Int64),
        userName="common.userName",
        text=pl.coalesce(parts, "messageText", pl.lit("")),
    )


def in_scope(copies: pl.DataFrame) -> pl.DataFrame:
    """Rule 2: the conversations with at least one user message in agent mode."""
    return copies.filter(source="user", mode="agent").select(CONVERSATION).unique()


def distinct_messages(copies: pl.DataFrame) -> pl.DataFrame:
    """Rule 3: the longest text per message, then the earliest, then the greater; its time is that of the first copy."""
    measured = copies.with_columns(length=pl.col("text").str.len_chars())
    best_first = measured.sort("length", "time", "text", descending=[True, False, True])
    return best_first.group_by(*MESSAGE, "source", maintain_order=True).agg(
        pl.col("turnIndex", "mode", "userName", "text", "length", "messageCharLen").first(),
        pl.col("time").min(),
        copies=pl.len(),
        lengths=pl.col("length").n_unique(),
    )


def message_counts(messages: pl.DataFrame) -> pl.DataFrame:
    """Rule 3: copies removed, texts restored from a longer copy, texts that stay shorter than they were."""
    user = pl.col("source") == "user"
    return messages.group_by(CONVERSATION).agg(
        duplicateMessages=(pl.col("copies") - 1).sum(),
        restoredMessages=(user & (pl.col("lengths") > 1)).sum(),
        truncatedMessages=(user & (pl.col("length") < pl.col("messageCharLen"))).sum(),
    )


def subagent_messages(seen: pl.DataFrame) -> pl.DataFrame:
    """Rule 4: the messageIds whose calls say that a subagent made them."""
    return seen.filter(event=ENGINE_MESSAGES, subType="subagent").select(MESSAGE).unique()


def attempts(own: pl.DataFrame) -> pl.DataFrame:
    """Rule 5: the user messages that say at which turn they are."""
    return own.filter(source="user").drop_nulls("turnIndex")


def latest_attempts(own: pl.DataFrame) -> pl.DataFrame:
    """Rule 5: per turnIndex the latest user message, and how many earlier ones it replaces."""
    in_order = attempts(own).sort("time", "messageId")
    return in_order.group_by(TURN, maintain_order=True).agg(
        pl.col("messageId", "userName", "time").last(),
        userMessage=pl.col("text").last(),
        replaced=pl.len() - 1,
    )


def metrics(seen: pl.DataFrame) -> pl.DataFrame:
    """Rule 6: the latest tool call details of each messageId."""
    in_order = seen.filter(event=TOOL_CALL_DETAILS).sort("time", "numRequests")
    return in_order.group_by(MESSAGE, maintain_order=True).agg(
        pl.col("model", "responseType", "numRequests", "toolCounts").last(),
        turnDurationMs=pl.col("turnDuration").last(),
    )


def calls(seen: pl.DataFrame) -> pl.DataFrame:
    """Rule 7: each call once, in order of time, and what a turn says of all its calls."""
    outputs = seen.filter(event=ENGINE_MESSAGES, message_direction="output", messageSource="chat.editAgent")
    once = outputs.sort("time").unique([*MESSAGE, "modelCallId"], keep="first", maintain_order=True)
    number = pl.int_range(1, pl.len() + 1)
    told = pl.col("modelCallId", "promptTokens", "completionTokens")
    call = pl.struct(told, callIndex=number, model="baseModel").cast(pl.Struct(CALL_FIELDS))
    tokens = pl.col("completionTokens")
    return (
        once.sort("time", "modelCallId")
        .group_by(MESSAGE, maintain_order=True)
        .agg(
            llmCallCount=pl.len(),
            promptTokens=pl.col("promptTokens").drop_nulls().last(),
            completionTokens=pl.when(tokens.count() > 0).then(tokens.sum()),
            lastCallTime=pl.col("time").max(),
            lastCallModel=pl.col("baseModel").last(),
            llmCalls=call,
        )
    )


def orphan_messages(messages: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Rule 8: model messages whose messageId no user message has."""
    return own.filter(source="model").join(messages.filter(source="user"), on=MESSAGE, how="anti")


def final_answers(turns: pl.DataFrame, orphans: pl.DataFrame) -> pl.DataFrame:
    """Rule 8: per successful turn the earliest orphan of its index that is not older than the turn's end."""
    answered = turns.filter(pl.col("responseType").fill_null("success") == "success")
    ends = answered.select(*TURN, end=pl.max_horizontal("time", "lastCallTime"))
    in_order = orphans.join(ends, on=TURN).filter(pl.col("time") >= pl.col("end")).sort("time", "messageId")
    return in_order.group_by(TURN, maintain_order=True).agg(pl.col("messageId").first(), final=pl.col("text").first())


def with_fallbacks(turns: pl.DataFrame, finals: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Rules 6 to 9: the model message, model and tool counts of a turn when the first place to look is empty."""
    narration = own.filter(source="model").select(*MESSAGE, narration="text")
    request = pl.col("userMessage").str.strip_chars(" \t\n\f\r").str.to_lowercase()
    found = turns.join(finals.drop("messageId"), on=TURN, how="left").join(narration, on=MESSAGE, how="left")
    return found.with_columns(
        modelMessage=pl.coalesce(pl.col("final", "narration").replace("", None)).fill_null(""),
        model=pl.coalesce("model", "lastCallModel"),
        toolCounts=pl.col("toolCounts").fill_null("{}"),
        llmCallCount=pl.col("llmCallCount").fill_null(0),
        llmCalls=pl.col("llmCalls").fill_null([]),
        isContinuation=request.is_in(BUTTONS) | request.str.starts_with("@agent continue:"),
    )


def count(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """How many of these rows each conversation has."""
    return rows.group_by(CONVERSATION).agg(pl.len().alias(name))


def totals(turns: pl.DataFrame) -> pl.DataFrame:
    """What the turns of a conversation say together; a turn may not be older than the one before it."""
    tokens = pl.col("completionTokens")
    in_order = turns.sort(TURN).group_by(CONVERSATION, maintain_order=True)
    return in_order.agg(
        pl.col("userName").first(),
        pl.col("llmCallCount").sum(),
        turnCount=pl.len(),
        capturedTurnCount=pl.len(),
        minTurnIndex=pl.col("turnIndex").min(),
        maxTurnIndex=pl.col("turnIndex").max(),
        promptTokens=pl.col("promptTokens").drop_nulls().last(),
        completionTokens=pl.when(tokens.count() > 0).then(tokens.sum()),
        firstTime=pl.col("time").min(),
        lastTime=pl.col("time").max(),
        models=pl.col("model").drop_nulls().unique().sort(),
        outOfOrder=(pl.col("time").diff() < pl.duration(seconds=0)).any(),
        retriedTurns=pl.col("replaced").sum(),
        turnsArray=pl.struct(TURN_FIELDS.keys()),
    )


def other_modes(own: pl.DataFrame) -> pl.DataFrame:
    """Whether a user message of the conversation was not in agent mode."""
    return attempts(own).group_by(CONVERSATION).agg(modeSwitched=pl.col("mode").ne_missing("agent").any())


def beside(conversations: pl.DataFrame, *parts: pl.DataFrame) -> pl.DataFrame:
    """All that is known of each conversation in one row."""
    for part in parts:
        conversations = conversations.join(part, on=CONVERSATION, how="left")
    counted = pl.col("turnCount", "capturedTurnCount", "llmCallCount", *REPAIRS).fill_null(0)
    lists = pl.col("turnsArray", "models").fill_null([])
    return conversations.with_columns(counted, lists, pl.col("userName").fill_null(""))


def drop_reason(min_turns: int, max_turns: int) -> pl.Expr:
    """The first rule that a conversation breaks, in the order of the table; empty for a candidate."""
    broken = {
        "no_conversation_id": pl.col("conversationId") == "",
        "mode_switched": pl.col("modeSwitched"),
        "head_missing": pl.col("minTurnIndex") > 1,
        "turn_missing": pl.col("capturedTurnCount") < pl.col("maxTurnIndex"),
        "turns_out_of_order": pl.col("outOfOrder"),
        "too_few_turns": pl.col("turnCount") < min_turns,
        "too_many_turns": pl.col("turnCount") > max_turns,
    }
    return first_that_holds(broken)


def bucket() -> pl.Expr:
    """The range of turn counts a conversation belongs to; empty for none."""
    ranges = {"short": (3, 5), "medium": (6, 10), "long": (11, 20)}
    return first_that_holds({name: pl.col("turnCount").is_between(*ends) for name, ends in ranges.items()})


def first_that_holds(conditions: dict[str, pl.Expr]) -> pl.Expr:
    """The name of the first condition that holds; empty when none does."""
    return pl.coalesce(*(pl.when(holds).then(pl.lit(name)) for name, holds in conditions.items()), pl.lit(""))


def answer(gathered: pl.DataFrame, reason: pl.Expr) -> pl.DataFrame:
    """The columns of the query's answer; a dropped conversation leaves without its turns."""
    judged = gathered.with_columns(dropReason=reason, bucket=bucket())
    kept = pl.when(pl.col("dropReason") == "").then("turnsArray").otherwise([])
    return judged.with_columns(turnsArray=kept).select(ANSWER.names()).cast(ANSWER).sort("conversationId")
