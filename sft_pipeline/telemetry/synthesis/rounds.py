"""The LLM rounds of every attempt: when each ends, what it costs, whether it speaks. One row per round.

Belongs here: times within a turn, contexts and completions, retried calls.
Does not belong here: the events that tell of them (messages, calls).
"""

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.models import TOKENS_OF
from sft_pipeline.telemetry.synthesis.randomness import Booleans, Floats, Integers, chance, identifiers, lognormal
from sft_pipeline.telemetry.synthesis.timeline import ROUND_JITTER

RETRY_LEAD = 0.25
"""How long before its round's end a retried call had failed, in parts of a round; rounds end at least 0.5 apart."""


def plan_rounds(rng: np.random.Generator, turns: pl.DataFrame) -> pl.DataFrame:
    """The rounds of all attempts in order, also of those that sent nothing; `turn` is the attempt's row."""
    counts = turns["rounds"].to_numpy()
    turn = np.repeat(np.arange(counts.size), counts)
    number = np.arange(turn.size) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    rounds = pl.DataFrame({"turn": turn, "round": number, "isLast": number == counts[turn]})
    answers, speaks = (turns[name].to_numpy()[turn] for name in ("lastCallAnswers", "lastRoundSpeaks"))
    final = turns["isAnswered"].to_numpy()[turn] & rounds["isLast"].to_numpy()
    step = (turns["duration"].to_numpy() / counts)[turn]
    return rounds.with_columns(
        time=pl.Series(turns["start"].to_numpy()[turn] + np.floor(step * _ends(rng, number)).astype(np.int64)),
        step=pl.Series(step.astype(np.int64)),
        hasOutput=~pl.col("isLast") | pl.Series(answers),
        hasMessage=~pl.col("isLast") | pl.Series(speaks),
        promptTokens=pl.Series(grow_contexts(rng, turns, turn, number)),
        completionTokens=pl.Series(_completions(rng, final)),
        modelCallId=identifiers(rng, turn.size),
        isRetried=pl.Series(chance(rng, turn.size, rates.RETRIED_CALLS)),
        isFilteredFirst=pl.Series(chance(rng, turn.size, rates.FILTERED_OF_RETRIED)),
        sendsInput=pl.Series(chance(rng, turn.size, rates.INPUT_EVENTS)),
        narration=pl.Series(_narrations(rng, turns, turn)),
        repeatsFinal=pl.Series(chance(rng, turn.size, rates.FINAL_IN_LAST_ROUND) & final),
        isExtra=pl.lit(value=False),
    )


def _ends(rng: np.random.Generator, number: Integers) -> Floats:
    """When rounds end, in parts of a round's share of the turn: increasing, the first before 1."""
    return number - ROUND_JITTER * rng.random(number.size)


def grow_contexts(rng: np.random.Generator, turns: pl.DataFrame, turn: Integers, number: Integers) -> Integers:
    """Q16, Q17: the whole context of each call: it grows within and across turns, and falls when it is summarised."""
    first, continued = _first_calls(turns, turn, number)
    asked = np.where(number == 1, rng.uniform(*rates.USER_TOKENS, turn.size), 0.0)
    added = lognormal(rng, turn.size, rates.CALL_TOKENS_MEDIAN, rates.CALL_TOKENS_SIGMA) + asked
    resets = turns["resetAt"].to_numpy()[turn]
    large = np.where(resets > 0, rng.uniform(*rates.LARGE_CONTEXT, turn.size), 0.0)
    base = lognormal(rng, turn.size, rates.FIRST_CONTEXT_MEDIAN, rates.FIRST_CONTEXT_SIGMA)
    begun = np.maximum(base, rates.FIRST_CONTEXT_MIN) + large
    summarised = ~first & continued & (resets == turns["turnIndex"].to_numpy()[turn]) & (number == 1)
    summarised &= ~turns["isReplaced"].to_numpy()[turn]
    afresh = np.where(first, begun, rng.uniform(*rates.RESET_CONTEXT, turn.size))
    restart = first | summarised
    total = np.cumsum(np.where(restart, 0.0, added))
    since = np.maximum.accumulate(np.where(restart, np.arange(turn.size), 0))
    context = afresh[since] + total - total[since]
    return np.rint(context * TOKENS_OF[turns["modelNumber"].to_numpy()[turn]]).astype(np.int64)


def _first_calls(turns: pl.DataFrame, turn: Integers, number: Integers) -> tuple[Booleans, Booleans]:
    """Which calls begin a context (a conversation's or a subagent's), and which are a conversation's own."""
    conversation = turns["conversation"].to_numpy()
    own = ~turns["isSubagent"].to_numpy()
    begins = np.append([True], conversation[1:] != conversation[:-1]) | ~own
    return begins[turn] & (number == 1), own[turn]


def _completions(rng: np.random.Generator, final: Booleans) -> Integers:
    median = np.where(final, rates.FINAL_COMPLETION_MEDIAN, rates.COMPLETION_MEDIAN)
    drawn = np.rint(lognormal(rng, final.size, median, rates.COMPLETION_SIGMA))
    return np.clip(drawn, 1, rates.COMPLETION_LIMIT).astype(np.int64)


def _narrations(rng: np.random.Generator, turns: pl.DataFrame, turn: Integers) -> Floats:
    """Q5: a draw below 1 for rounds that say something between tool calls, -1 for the others."""
    silent = (turns["toolsOnly"] & turns["isAnswered"]).to_numpy()[turn]
    speaks = chance(rng, turn.size, rates.NARRATED_ROUNDS) & ~silent
    return np.where(speaks, rng.random(turn.size), -1.0)


def retried_calls(rounds: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q13: calls that failed or were filtered shortly before the call that answered; each has its own modelCallId."""
    retried = rounds.filter(pl.col("isRetried") & pl.col("hasOutput"))
    return retried.with_columns(
        time=pl.col("time") - (pl.col("step") * RETRY_LEAD).cast(pl.Int64),
        modelCallId=identifiers(rng, retried.height),
        hasOutput=pl.col("isFilteredFirst"),
        sendsInput=~pl.col("isFilteredFirst"),
        completionTokens=pl.lit(1, pl.Int64()),
        isExtra=pl.lit(value=True),
    )
