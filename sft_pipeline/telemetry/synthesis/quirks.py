"""The quirks of the telemetry that the synthesis reproduces, by number: what each is, who makes it, how to find it.

Belongs here: the registry. Does not belong here: making (by the functions named here) or finding (observed).
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from sft_pipeline.telemetry.synthesis import (
    calls,
    conversations,
    delivery,
    messages,
    models,
    observed,
    rates,
    rounds,
    timeline,
    turns,
    wording,
)
from sft_pipeline.telemetry.synthesis.population import Kind
from sft_pipeline.telemetry.synthesis.sending import Sending


@dataclass(frozen=True)
class Quirk:
    """One way in which raw telemetry is not what it seems.

    Args:
        id: `Q01` ... `Q28`.
        statement: what is odd.
        made_by: the function that realises it.
        planned: how many a batch has, over its attempts with the columns of `attempts_of`.
        count: how many there are in events as `observed.observed` gives them.
        exact: whether both numbers agree; else they are close.
    """

    id: str
    name: str
    statement: str
    made_by: Callable[..., object]
    planned: pl.Expr
    count: Callable[[pl.DataFrame], int]
    exact: bool = True


def attempts_of(sending: Sending) -> pl.DataFrame:
    """The attempts that were sent, with what their rounds and calls add up to."""
    called = sending.calls.group_by("turn").agg(
        outputs=pl.col("hasOutput").sum(),
        failedCalls=(~pl.col("hasOutput")).sum(),
        answeredRounds=(pl.col("hasOutput") & ~pl.col("isExtra")).sum(),
        spokenRounds=(pl.col("hasMessage") & ~pl.col("isExtra")).sum(),
    )
    return sending.turns.with_columns(turn=pl.int_range(pl.len())).join(
        called, on="turn", how="left", maintain_order="left"
    )


def planned_quirks(sending: Sending) -> dict[str, int]:
    """How often each quirk was planned in a batch."""
    counts = attempts_of(sending).select(quirk.planned.cast(pl.Int64).alias(quirk.id) for quirk in QUIRKS.values())
    return counts.row(0, named=True)


def _conversations(condition: pl.Expr) -> pl.Expr:
    identified = pl.col("kind") != Kind.ID_BLANK
    return pl.col("conversation").filter(condition & identified).n_unique()


def _several_models() -> pl.Expr:
    told = pl.col("sendsDetails")
    first = pl.col("model").filter(told).first().over("conversation")
    return _conversations(told & ((pl.col("model") != first) | pl.col("firstModel").is_not_null()))


def _kind(*kinds: Kind) -> pl.Expr:
    return pl.col("kind").is_in([str(kind) for kind in kinds])


_agent = pl.col("messageSource") == observed.EDITOR_CALLS
_details = pl.col("sendsDetails")
_success = _details & pl.col("isAnswered")
_first = pl.col("turnIndex") == 1
_has_later = (pl.col("isLater")).any().over("conversation")

_REGISTERED = (
    Quirk(
        "Q01", "repeated pair", "Every round sends the user and the model message of its turn again",
        messages.user_messages, (pl.col("rounds") > 1).sum(), observed.repeated_messages, exact=False,
    ),
    Quirk(
        "Q02", "orphan final", "The final answer comes under a messageId that nothing else has",
        messages.final_messages, pl.col("isAnswered").sum(),
        lambda events: observed.message_ids(observed.orphan_finals(events)),
    ),
    Quirk(
        "Q03", "second store", "Two stores hold an event, one of them cuts long texts",
        delivery.store_twice, (pl.col("secondStore") | pl.col("userIsLong")).sum(), observed.messages_in_two_stores,
        exact=False,
    ),
    Quirk(
        "Q04", "transport duplicate", "An event is delivered twice within a minute",
        delivery.repeat_in_transport,
        ((pl.col("outputs") + pl.col("failedCalls")).sum() * rates.TRANSPORT_DUPLICATES).round(),
        observed.transport_duplicates, exact=False,
    ),
    Quirk(
        "Q05", "no text", "Rounds and whole turns that only call tools have no messageText",
        messages.model_messages, (pl.col("isAnswered") & pl.col("toolsOnly")).sum(),
        lambda events: observed.message_ids(observed.orphan_finals(events).filter(pl.col("messageText").is_null())),
    ),
    Quirk(
        "Q06", "no final", "A turn that did not succeed has no final message",
        turns.end_turns, (~pl.col("isAnswered")).sum(), observed.failed_turns,
    ),
    Quirk(
        "Q07", "incomplete", "Turns are missing, lie before the window or are in another mode",
        conversations.lose_turns,
        _conversations(_kind(Kind.TURN_MISSING, Kind.HEAD_MISSING, Kind.MODE_SWITCHED) & ~pl.col("isHead")),
        observed.incomplete_conversations,
    ),
    Quirk(
        "Q08", "repeated index", "A turn that is tried again keeps its turnIndex and gets another messageId",
        turns.sequence,
        _conversations(
            pl.col("isReplaced") | _kind(Kind.BRANCH_ABANDONED) | (pl.col("isSubagent") & ~pl.col("isMarked"))
        ),
        observed.repeated_indices,
    ),
    Quirk(
        "Q09", "rerun", "A rate limited first turn runs again under its messageId, with another model",
        turns.rerun_rate_limited, pl.col("firstModel").is_not_null().sum(), observed.rerun_turns,
    ),
    Quirk(
        "Q10", "subagent", "A subagent's messages look like another first turn of its parent's conversation",
        timeline.with_subagents, (pl.col("isSubagent") & pl.col("isMarked")).sum(),
        lambda events: observed.message_ids(events.filter(pl.col("subType") == "subagent")),
    ),
    Quirk(
        "Q11", "button", "A pressed button is a user message",
        turns.press_buttons, (pl.col("button") >= 0).sum(), observed.pressed_buttons,
    ),
    Quirk(
        "Q12", "parallel calls", "numRequests is not the number of tool calls plus one",
        calls.with_tools, (_success & (pl.col("numRequests") != pl.col("toolCalls") + 1)).sum(),
        observed.broken_formula,
    ),
    Quirk(
        "Q13", "retried call", "A turn has more calls than numRequests",
        rounds.retried_calls, (_details & _agent & (pl.col("outputs") > pl.col("numRequests"))).sum(),
        observed.more_calls_than_requests,
    ),
    Quirk(
        "Q14", "failed input", "A failed call has an input event and no output event",
        calls.call_inputs, pl.col("failedCalls").sum() + pl.col("firstModel").is_not_null().sum(),
        observed.unanswered_calls,
    ),
    Quirk(
        "Q15", "side call", "Calls beside the agent's have no conversationId or another messageSource",
        calls.supplementary_calls,
        (pl.col("supplementary") & _first & ~pl.col("isSubagent")).sum() * len(calls.SIDE_SOURCES), observed.side_calls,
    ),
    Quirk(
        "Q16", "whole context", "promptTokens is the whole context of a call, not what it adds",
        rounds.grow_contexts, (_agent & ~pl.col("isOwnKey") & (pl.col("answeredRounds") > 1)).sum(),
        observed.growing_turns,
    ),
    Quirk(
        "Q17", "context reset", "The context shrinks when it is summarised",
        rounds.grow_contexts,
        ((pl.col("resetAt") == pl.col("turnIndex")) & ~pl.col("isReplaced") & ~pl.col("isSubagent")).sum(),
        observed.shrunk_contexts, exact=False,
    ),
    Quirk(
        "Q18", "inflated first delta", "Without its head a conversation begins with a large context",
        conversations.lose_heads, _conversations(_kind(Kind.HEAD_MISSING) & ~pl.col("isHead")),
        observed.headless_conversations,
    ),
    Quirk(
        "Q19", "model switch", "The model changes within a conversation",
        turns.switch_models, _several_models(), observed.switched_models,
    ),
    Quirk(
        "Q20", "long turn", "turnDuration includes waiting for a person",
        timeline.durations, (_details & (pl.col("duration") > observed.LONG_TURN_MS * timeline.MILLISECOND)).sum(),
        observed.long_turns,
    ),
    Quirk(
        "Q21", "unknown language", "languageId is often absent in agent mode",
        messages.user_messages, (pl.col("language") == "").sum(), observed.unknown_languages,
    ),
    Quirk(
        "Q22", "restarted counter", "conversationTurn begins at 1 again when the window is reloaded",
        calls.request_counters,
        ((pl.col("reloadAt") > 1) & (pl.col("turnIndex") == pl.col("reloadAt")) & ~pl.col("isSubagent")).sum(),
        observed.restarted_counters,
    ),
    Quirk(
        "Q23", "right censoring", "A conversation goes on after the window and looks complete",
        conversations.go_on_after_the_window, _conversations(_has_later), observed.censored_conversations,
    ),
    Quirk(
        "Q24", "another's length", "messageCharLen of a model message is the length of the user message",
        messages.model_messages, (pl.col("spokenRounds") > 0).sum(), observed.wrong_lengths, exact=False,
    ),
    Quirk(
        "Q25", "odd tool names", "toolCounts names virtual groups, MCP tools and tools that do not exist",
        models.tool_counts,
        (_details & pl.col("toolCounts").str.contains_any(list(models.GROUPS_AND_SERVERS))).sum(), observed.odd_tools,
    ),
    Quirk(
        "Q26", "own key", "Turns on a person's own key tell no token counts",
        calls.call_outputs, (_agent & pl.col("isOwnKey") & (pl.col("outputs") > 0)).sum(), observed.silent_outputs,
    ),
    Quirk(
        "Q27", "undefined user", "userName is the text undefined where the client knew none",
        conversations.identify, (pl.col("userName") == "undefined").sum(),
        lambda events: observed.message_ids(events.filter(pl.col("common.userName") == "undefined")),
    ),
    Quirk(
        "Q28", "secrets", "Texts hold tokens, passwords and addresses",
        wording.with_requests, pl.col("hasSecret").sum(), observed.secret_messages,
    ),
)  # fmt: skip

QUIRKS: dict[str, Quirk] = {quirk.id: quirk for quirk in _REGISTERED}
