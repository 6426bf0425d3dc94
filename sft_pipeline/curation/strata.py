"""Strategies 1 to 4 of source 003: by what a class is balanced beside its label, and in which order it is drawn from.

Belongs here: each strategy as a function of a request's columns, and how they combine.
Does not belong here: how many of each stratum are taken (balancing), how the columns come about (requests, signals).
"""

from collections.abc import Callable, Collection, Mapping

import polars as pl

from sft_pipeline.curation.hashing import PRIORITY_DIGITS, priorities
from sft_pipeline.curation.routers import RouterName, Strategy

DRAW = "draw"
"""The column by which a stratum is drawn from, lowest first."""


def turn_buckets() -> pl.Expr:
    """Strategy 1: stratum = the bucket of the conversation's turnCount, as many of each as of any other.

    Source 003, 3.2: short 3-5, medium 6-10, long 11-20 turns, N of each.
    """
    return pl.col("bucket")


def complexity() -> pl.Expr:
    """Strategy 2: stratum = high, low or unclear, as the majority of the four proxies says (curation.signals).

    Source 003, 3.2: numRequests, turnDurationMs, tool diversity and token growth.
    """
    return pl.col("complexity")


def chosen_model() -> pl.Expr:
    """Strategy 3: stratum = the class of the model that the person chose: reasoning, fast or unknown.

    Source 003, 3.2: "a free signal"; the patterns are the plan's.
    """
    return pl.col("modelClass")


def turn_position() -> pl.Expr:
    """Stratum = early, mid or late in the conversation; always on for the conversation router (source 003, 3.4)."""
    return pl.col("turnPosition")


def inverse_frequency() -> pl.Expr:
    """Strategy 4: weight[k] = 1 / P(turnCount = k), P being the share among the rows of the frame.

    Source 003, 3.2: 1/0.30 = 3.3 for frequent turn counts, 1/0.01 = 100 for rare ones.
    """
    return pl.len() / pl.len().over("turnCount")


def draw_order(requests: pl.DataFrame, strategies: Collection[Strategy], salt: str) -> pl.Series:
    """What a stratum is drawn by, lowest first: the priority, or with strategy 4 the weighted draw's key.

    Weighted drawing without replacement (Efraimidis and Spirakis 2006): key = -ln(u) / weight, with u evenly spread
    over 0 to 1. u is a hash of its own and not the priority: labelled requests are those of the lowest priorities, so
    theirs are not spread over 0 to 1, and weights would count for more the fewer requests were judged.

    Args:
        requests: with `requestId`, `priority` and `weight`.
        strategies: the plan's.
        salt: the plan's, of its routers.
    """
    if "inverse_frequency" not in strategies:
        return requests["priority"].alias(DRAW)
    hashed = priorities(requests["requestId"], salt=f"draw:{salt}").cast(pl.Float64())
    evenly = (hashed + 0.5) / 16**PRIORITY_DIGITS
    return (-evenly.log() / requests["weight"]).alias(DRAW)


def stratum(strategies: Collection[Strategy], router: RouterName) -> pl.Expr:
    """The product of the chosen strategies and, for the conversation router, the turn position, e.g. `long+high+early`.

    Empty where a class is balanced by nothing else.
    """
    chosen = [of() for name, of in _STRATA.items() if name in strategies]
    if router == "conversation_router":
        chosen.append(turn_position())
    return pl.concat_str(chosen, separator="+") if chosen else pl.lit("")


_STRATA: Mapping[Strategy, Callable[[], pl.Expr]] = {
    "turn_buckets": turn_buckets,
    "complexity": complexity,
    "chosen_model": chosen_model,
}
