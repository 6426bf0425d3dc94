"""How tokens, rounds and tool calls add up over a table of conversations: counts, rates, and who breaks the sum.

Belongs here: what the queries under `queries/verification` ask of raw telemetry, asked of curated conversations; the
figures have the names of their columns.
Does not belong here: the rates that a good table has (claims), the deltas themselves (turns).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

_TOOL_COUNT = r'"(?:[^"\\]|\\.)*"\s*:\s*"?[0-9]+"?'
"""One member of toolCounts. Tools have any name, so the names are no fields that a decoder could be told."""


@dataclass(frozen=True)
class Account:
    """What was counted.

    Args:
        figures: counts, and rates from 0 to 1; `checked` counts what could be judged, `rate` is the part that is right.
            A rate of nothing is None.
        broken: how many of the checked are not right.
        conversations: the ids in which they are, in the order of the table, each once.
    """

    figures: Mapping[str, int | float | None]
    broken: int
    conversations: pl.Series

    @property
    def checked(self) -> int:
        """How many things could be judged."""
        return int(self.figures["checked"] or 0)


def token_accumulation(conversations: pl.DataFrame) -> Account:
    """Whether promptTokens, the whole context of a call, grows from call to call (Q16, Q17).

    Args:
        conversations: columns of `Conversation`; a step is two consecutive calls that both tell promptTokens.
    """
    tokens = pl.col("promptTokens")
    steps = calls_in_order(conversations).with_columns(step=(tokens - tokens.shift(1)).over("conversationId"))
    step = pl.col("step")
    figures = steps.select(
        conversations=pl.col("conversationId").n_unique(),
        calls=pl.len(),
        checked=step.count(),
        grows=(step > 0).sum(),
        stays=(step == 0).sum(),
        falls=(step < 0).sum(),
    ).row(0, named=True)
    rate = _share(figures["grows"], figures["checked"])
    return _account({**figures, "rate": rate}, figures["checked"] - figures["grows"], steps.filter(step <= 0))


def requests_formula(conversations: pl.DataFrame) -> Account:
    """Whether numRequests is the sum of toolCounts plus one (Q12).

    The figures `successes`, `roundsHold` and `roundsRate` tell the weaker rule of turns that end well: numRequests - 1
    is at most the sum.

    Args:
        conversations: columns of `Conversation`; turns that tell numRequests are judged.
    """
    turns = turns_in_order(conversations).with_columns(tool_calls(pl.col("toolCounts")).alias("toolCalls"))
    judged = turns.with_columns(beyond=pl.col("numRequests") - 1 - pl.col("toolCalls"))
    beyond, ends_well = pl.col("beyond"), pl.col("responseType") == "success"
    counts = judged.select(
        turns=pl.len(),
        checked=beyond.count(),
        holds=(beyond == 0).sum(),
        above=(beyond > 0).sum(),
        below=(beyond < 0).sum(),
        successes=(ends_well & beyond.is_not_null()).sum(),
        roundsHold=(ends_well & (beyond <= 0)).sum(),
    ).row(0, named=True)
    rates = {
        "rate": _share(counts["holds"], counts["checked"]),
        "roundsRate": _share(counts["roundsHold"], counts["successes"]),
    }
    return _account({**counts, **rates}, counts["checked"] - counts["holds"], judged.filter(beyond != 0))


def delta_accuracy(conversations: pl.DataFrame) -> Account:
    """Whether the token deltas of a conversation's calls add up to the promptTokens of the conversation.

    Args:
        conversations: columns of `Conversation`; those with calls that all tell promptTokens are judged.
    """
    delta = pl.col("promptTokenDelta")
    sums = (
        calls_in_order(conversations)
        .group_by("conversationId")
        .agg(
            mute=pl.col("promptTokens").null_count(), deltas=delta.count(), resets=(delta < 0).sum(), total=delta.sum()
        )
    )
    told = conversations.select("conversationId", "promptTokens").join(
        sums, on="conversationId", how="left", maintain_order="left"
    )
    judged = told.with_columns(
        adds=pl.when(pl.col("mute") == 0).then(pl.col("total").eq_missing(pl.col("promptTokens")))
    )
    counts = judged.select(
        conversations=pl.len(),
        checked=pl.col("adds").count(),
        addUp=pl.col("adds").sum(),
        uncheckable=pl.col("adds").null_count(),
        deltas=pl.col("deltas").sum(),
        contextResets=pl.col("resets").sum(),
    ).row(0, named=True)
    rates = {
        "rate": _share(counts["addUp"], counts["checked"]),
        "resetShare": _share(counts["contextResets"], counts["deltas"]),
    }
    return _account({**counts, **rates}, counts["checked"] - counts["addUp"], judged.filter(~pl.col("adds")))


def tool_calls(tool_counts: pl.Expr) -> pl.Expr:
    """The sum of a column of toolCounts, JSON objects as text (tool -> calls); 0 where there are none."""
    number = pl.element().str.extract('([0-9]+)"?$').cast(pl.Int64, strict=False)
    return tool_counts.fill_null("").str.extract_all(_TOOL_COUNT).list.eval(number).list.sum()


def turns_in_order(conversations: pl.DataFrame) -> pl.DataFrame:
    """A row per turn: its conversationId and its fields."""
    turns = conversations.select("conversationId", "turnsArray").explode("turnsArray").drop_nulls("turnsArray")
    return turns.unnest("turnsArray")


def calls_in_order(conversations: pl.DataFrame) -> pl.DataFrame:
    """A row per model call: its conversationId and its fields, in the order of the conversation."""
    calls = turns_in_order(conversations).select("conversationId", "llmCalls").explode("llmCalls")
    return calls.drop_nulls("llmCalls").unnest("llmCalls")


def _account(figures: Mapping[str, int | float | None], broken: int, odd: pl.DataFrame) -> Account:
    return Account(figures, broken, odd["conversationId"].unique(maintain_order=True))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
