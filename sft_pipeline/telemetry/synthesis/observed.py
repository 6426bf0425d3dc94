"""Finding the quirks again in raw events, without knowledge of how they were made.

Belongs here: decoding raw events, and one counting function per quirk; each counts distinct things, so that copies
of an event do not count twice. Does not belong here: the registry (quirks), the rules of curation.
"""

from datetime import datetime

import polars as pl

from sft_pipeline.telemetry.events import ENGINE_MESSAGES, STORE_A_KEY, STORE_B_KEY, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.synthesis.calls import MODEL_REQUEST, SIDE_SOURCES
from sft_pipeline.telemetry.synthesis.models import GROUPS_AND_SERVERS
from sft_pipeline.telemetry.synthesis.requests import BUTTONS, SECRET_MARKS

TEXTS = (
    "conversationId", "messageId", "source", "turnIndex", "messageText", "mode", "common.userName", "languageId",
    "subType", "message_direction", "messageSource", "modelCallId", "baseModel", "responseType", "toolCounts", "model",
    "conversationTurn",
)  # fmt: skip
NUMBERS = ("messageCharLen", "promptTokens", "numRequests", "turnDuration")
LONG_TURN_MS = 20 * 60 * 1_000
EDITOR_CALLS = "chat.editAgent"


def observed(events: pl.DataFrame, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Raw events with their properties and measurements as columns, and where they lie relative to the window."""
    properties = pl.col("Properties").str.json_decode(pl.Struct(dict.fromkeys(TEXTS, pl.String())))
    measurements = pl.col("Measurements").str.json_decode(pl.Struct(dict.fromkeys(NUMBERS, pl.Int64())))
    time = pl.col("TimeGenerated")
    return (
        events.select(
            "TimeGenerated", "Name", "IKey", properties, measurements, isBefore=time < start, isAfter=time >= end
        )
        .unnest("Properties", "Measurements")
        .with_columns(pl.col("turnIndex").cast(pl.Int64))
    )


def user_rows(events: pl.DataFrame) -> pl.DataFrame:
    """User messages of conversations that have an id."""
    return events.filter(pl.col("source") == "user", pl.col("conversationId").fill_null("") != "")


def message_ids(rows: pl.DataFrame) -> int:
    """How many messageIds these rows have."""
    return rows["messageId"].n_unique()


def conversation_ids(rows: pl.DataFrame) -> int:
    """How many conversations these rows have."""
    return rows["conversationId"].n_unique()


def repeated_messages(events: pl.DataFrame) -> int:
    """Q1: messageIds whose user message came at several times."""
    times = events.filter(source="user", IKey=STORE_A_KEY).group_by("messageId").agg(pl.col("TimeGenerated").n_unique())
    return times.filter(pl.col("TimeGenerated") > 1).height


def orphan_finals(events: pl.DataFrame) -> pl.DataFrame:
    """Model messages whose messageId no user message has."""
    return events.filter(source="model").join(events.filter(source="user"), on="messageId", how="anti")


def messages_in_two_stores(events: pl.DataFrame) -> int:
    """Q3: messageIds of user messages that both stores hold."""
    user = events.filter(source="user")
    return message_ids(user.filter(IKey=STORE_A_KEY).join(user.filter(IKey=STORE_B_KEY), on="messageId", how="semi"))


def transport_duplicates(events: pl.DataFrame) -> int:
    """Q4: call events that one store holds more than once."""
    key = ["modelCallId", "message_direction", "IKey"]
    copies = events.filter(pl.col("Name") == ENGINE_MESSAGES).group_by(key).agg(copies=pl.len() - 1)
    return int(copies["copies"].sum())


def failed_turns(events: pl.DataFrame) -> int:
    """Q6: messageIds whose metrics never say success."""
    details = events.filter(pl.col("Name") == TOOL_CALL_DETAILS)
    return message_ids(details.join(details.filter(responseType="success"), on="messageId", how="anti"))


def incomplete_conversations(events: pl.DataFrame) -> int:
    """Q7: conversations whose turnIndices have a hole or no head, or whose mode changes."""
    found = (
        user_rows(events)
        .group_by("conversationId")
        .agg(
            hole=pl.col("turnIndex").n_unique() <= pl.col("turnIndex").max(),
            late=pl.col("turnIndex").filter(~pl.col("isBefore")).min() > 0,
            modes=pl.col("mode").fill_null("").n_unique(),
        )
    )
    return found.filter(pl.col("hole") | pl.col("late") | (pl.col("modes") > 1)).height


def repeated_indices(events: pl.DataFrame) -> int:
    """Q8: conversations in which several messages that no call marks have the same turnIndex."""
    marked = events.filter(pl.col("subType") == "subagent")
    own = user_rows(events).join(marked, on="messageId", how="anti")
    attempts = own.group_by("conversationId", "turnIndex").agg(pl.col("messageId").n_unique())
    return conversation_ids(attempts.filter(pl.col("messageId") > 1))


def rerun_turns(events: pl.DataFrame) -> int:
    """Q9: messageIds with the metrics of two models."""
    models = events.filter(pl.col("Name") == TOOL_CALL_DETAILS).group_by("messageId").agg(pl.col("model").n_unique())
    return models.filter(pl.col("model") > 1).height


def broken_formula(events: pl.DataFrame) -> int:
    """Q12: successful turns whose numRequests is not the number of tool calls plus one."""
    details = events.filter(Name=TOOL_CALL_DETAILS, responseType="success")
    called = (
        pl.col("toolCounts").str.extract_all(r"\d+[,}]").list.eval(pl.element().str.head(-1).cast(pl.Int64)).list.sum()
    )
    return message_ids(details.filter(pl.col("numRequests") != called + 1))


def outputs(events: pl.DataFrame) -> pl.DataFrame:
    """The agent's calls that brought something, once each."""
    brought = events.filter(Name=ENGINE_MESSAGES, message_direction="output", messageSource=EDITOR_CALLS)
    return brought.unique("modelCallId", maintain_order=True)


def more_calls_than_requests(events: pl.DataFrame) -> int:
    """Q13: turns with more calls than numRequests."""
    calls = outputs(events).group_by("messageId").agg(calls=pl.len())
    details = events.filter(pl.col("Name") == TOOL_CALL_DETAILS).group_by("messageId").agg(pl.col("numRequests").max())
    return calls.join(details, on="messageId").filter(pl.col("calls") > pl.col("numRequests")).height


def unanswered_calls(events: pl.DataFrame) -> int:
    """Q14: calls with an input and no output."""
    calls = events.filter(pl.col("Name") == ENGINE_MESSAGES)
    asked, answered = (calls.filter(message_direction=direction) for direction in ("input", "output"))
    return asked.join(answered, on="modelCallId", how="anti")["modelCallId"].n_unique()


def side_calls(events: pl.DataFrame) -> int:
    """Q15: calls that are no part of the agent's loop."""
    return events.filter(pl.col("messageSource").is_in(SIDE_SOURCES))["modelCallId"].n_unique()


def growing_turns(events: pl.DataFrame) -> int:
    """Q16: turns in which a later call has a larger context."""
    tokens = outputs(events).group_by("messageId").agg(pl.col("promptTokens").n_unique())
    return tokens.filter(pl.col("promptTokens") > 1).height


def shrunk_contexts(events: pl.DataFrame) -> int:
    """Q17: calls with a smaller context than the call before, by the same model."""
    calls = outputs(events).filter(pl.col("subType").is_null()).sort("conversationId", "TimeGenerated", "modelCallId")
    before = pl.col("promptTokens", "baseModel").shift(1).over("conversationId").name.suffix("Before")
    compared = calls.select("promptTokens", "baseModel", before)
    same = pl.col("baseModel") == pl.col("baseModelBefore")
    return compared.filter(same & (pl.col("promptTokens") < pl.col("promptTokensBefore"))).height


def headless_conversations(events: pl.DataFrame) -> int:
    """Q18: conversations in the window whose first context is that of turns before it."""
    first = user_rows(events).filter(~pl.col("isBefore")).group_by("conversationId").agg(pl.col("turnIndex").min())
    return first.filter(pl.col("turnIndex") > 0).height


def switched_models(events: pl.DataFrame) -> int:
    """Q19: conversations whose metrics name several models."""
    details = events.filter(pl.col("Name") == TOOL_CALL_DETAILS, pl.col("conversationId").fill_null("") != "")
    models = details.group_by("conversationId").agg(pl.col("model").n_unique())
    return models.filter(pl.col("model") > 1).height


def restarted_counters(events: pl.DataFrame) -> int:
    """Q22: requests counted as the first of the process that belong to later turns."""
    first = events.filter(Name=MODEL_REQUEST, conversationTurn="1")
    return message_ids(
        first.join(events.filter(pl.col("source") == "user", pl.col("turnIndex") > 0), on="messageId", how="semi")
    )


def censored_conversations(events: pl.DataFrame) -> int:
    """Q23: conversations with messages within the window and after it."""
    sides = user_rows(events).group_by("conversationId").agg(pl.col("isAfter").n_unique())
    return sides.filter(pl.col("isAfter") > 1).height


def wrong_lengths(events: pl.DataFrame) -> int:
    """Q24: turns with a model message whose messageCharLen is not its own length."""
    said = events.filter(pl.col("source") == "model", pl.col("messageCharLen").is_not_null())
    return message_ids(said.filter(pl.col("messageCharLen") != pl.col("messageText").fill_null("").str.len_chars()))


def odd_tools(events: pl.DataFrame) -> int:
    """Q25: turns whose toolCounts name groups, servers or tools that do not exist."""
    return message_ids(events.filter(pl.col("toolCounts").str.contains_any(list(GROUPS_AND_SERVERS))))


def silent_outputs(events: pl.DataFrame) -> int:
    """Q26: turns with calls that tell no token counts."""
    return message_ids(outputs(events).filter(pl.col("promptTokens").is_null()))


def pressed_buttons(events: pl.DataFrame) -> int:
    """Q11: user messages that are the text of a button."""
    return message_ids(events.filter(pl.col("source") == "user", pl.col("messageText").is_in(BUTTONS)))


def secret_messages(events: pl.DataFrame) -> int:
    """Q28: user messages with something that looks like a secret or an address."""
    return message_ids(
        events.filter(pl.col("source") == "user", pl.col("messageText").str.contains_any(list(SECRET_MARKS)))
    )


def long_turns(events: pl.DataFrame) -> int:
    """Q20: turns of more than twenty minutes."""
    return message_ids(events.filter(pl.col("turnDuration") > LONG_TURN_MS))


def unknown_languages(events: pl.DataFrame) -> int:
    """Q21: user messages without languageId."""
    return message_ids(events.filter(pl.col("source") == "user", pl.col("languageId").is_null()))
