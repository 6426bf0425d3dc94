"""What clients told about the work that a request took, and what the proxies of source 003 say of it.

Belongs here: the signals, the proxies and their thresholds, the class of the model that a person chose.
Does not belong here: labels made of them (heuristic), sampling by them (balancing).
"""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.routers import Routers
from sft_pipeline.curation.token_accounting import tool_calls

HIGH, LOW, UNCLEAR = "high", "low", "unclear"
REASONING_MODEL, FAST_MODEL, UNKNOWN_MODEL = "reasoning", "fast", "unknown"

_CALLED_TOOL = r'"(?:[^"\\]|\\.)*"\s*:\s*"?0*[1-9]'


class Proxy(NamedTuple):
    """A signal and what it stands for: up to `low` the work was simple, from `high` on it was complex.

    Args:
        signal: one of `SIGNALS`.
        low: the largest value that speaks for simple work.
        high: the smallest value that speaks for complex work; what lies between speaks for neither.
    """

    signal: str
    low: int
    high: int


PROXIES: tuple[Proxy, ...] = (
    Proxy("numRequests", low=2, high=10),
    Proxy("turnDurationMs", low=9_999, high=60_001),
    Proxy("toolDiversity", low=1, high=2),
    Proxy("promptTokenDelta", low=1_999, high=5_000),
)
"""The table of source 003, strategy 2. It has no numbers for token growth. A tool's result has about 900 tokens
(median): less than 2,000 is what a request and two rounds add, as low as numRequests has it; 5,000 takes five results
or more than one long file, and about a fifth of the turns grow so much."""


def signals() -> list[pl.Expr]:
    """The columns of `SIGNALS`, of a frame with the fields of a turn as columns; null where the client told nothing.

    The first turn's promptTokens are mostly system prompt and tools, so that its delta would say nothing of the work:
    there promptTokenDelta is the growth since its first call.
    """
    told = pl.col("toolCounts").str.contains(r"^\s*\{")
    counts = pl.col("toolCounts")
    before = pl.col("llmCalls").list.first().struct.field("promptTokens")
    growth = pl.when(pl.col("turnIndex") == 1).then(pl.col("promptTokens") - before)
    return [
        pl.col("numRequests"),
        pl.col("turnDurationMs"),
        pl.when(told).then(counts.str.count_matches(_CALLED_TOOL)).cast(pl.Int64()).alias("toolDiversity"),
        pl.when(told).then(tool_calls(counts)).cast(pl.Int64()).alias("toolCalls"),
        growth.when(pl.col("turnIndex") != 1).then(pl.col("promptTokenDelta")).alias("promptTokenDelta"),
    ]


def complexity() -> pl.Expr:
    """What most of the proxies that speak say, of a frame with the columns of `SIGNALS`; none or as many: unclear.

    high: more proxies speak for complex work than for simple; low: fewer.
    """
    balance = pl.sum_horizontal(_vote(proxy).fill_null(0) for proxy in PROXIES)
    said = pl.when(balance > 0).then(pl.lit(HIGH)).when(balance < 0).then(pl.lit(LOW)).otherwise(pl.lit(UNCLEAR))
    return said.alias("complexity")


def votes(signals: Mapping[str, int | None]) -> dict[str, int]:
    """What each known signal says, by its name: 1 complex work, -1 simple work, 0 neither.

    A negative promptTokenDelta is a context that was summarised or cut: it is not known how much the work added.
    """
    known = {proxy: signals.get(proxy.signal) for proxy in PROXIES}
    return {
        proxy.signal: (value >= proxy.high) - (value <= proxy.low)
        for proxy, value in known.items()
        if value is not None and value >= 0
    }


def model_class(routers: Routers) -> pl.Expr:
    """The class of the column `model` by the plan's patterns, fast ones first: what the person chose."""
    return (
        pl.when(_is_any_of(routers.fast_models))
        .then(pl.lit(FAST_MODEL))
        .when(_is_any_of(routers.reasoning_models))
        .then(pl.lit(REASONING_MODEL))
        .otherwise(pl.lit(UNKNOWN_MODEL))
        .alias("modelClass")
    )


def _vote(proxy: Proxy) -> pl.Expr:
    """`votes` for a column."""
    value = pl.col(proxy.signal)
    sides = (value >= proxy.high).cast(pl.Int8()) - (value <= proxy.low).cast(pl.Int8())
    return pl.when(value >= 0).then(sides)


def _is_any_of(patterns: tuple[str, ...]) -> pl.Expr:
    if not patterns:
        return pl.lit(value=False)
    return pl.col("model").str.contains("|".join(f"(?:{pattern})" for pattern in patterns))
