"""What happens turn by turn: one row per attempt at a turn of a batch's conversations, in order of time.

Belongs here: the sequence of turnIndices, modes, models, rounds, how a turn ends.
Does not belong here: when it happens (timeline), what is said (wording), the calls of a turn (rounds).
"""

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.models import MODELS, NAMES, OWN_KEY_MODELS
from sft_pipeline.telemetry.synthesis.population import AGENT, OF_CANDIDATE_LENGTH, of
from sft_pipeline.telemetry.synthesis.randomness import (
    Booleans,
    Integers,
    between,
    chance,
    identifiers,
    lognormal,
    picked,
    weighted,
)
from sft_pipeline.telemetry.synthesis.requests import BUTTON_AFTER, BUTTON_WEIGHTS

SUCCESS = "success"
UNANSWERED = ("cancelled", "failed", "networkError", "rateLimited")
"""The last call of such a turn brought no output."""
WITH_TOOLS = (AGENT, "custom", "plan")


def plan_turns(rng: np.random.Generator, conversations: pl.DataFrame, *, first_day: bool) -> pl.DataFrame:
    """The attempts of all conversations, without times; `conversation` is the conversation's row."""
    turns = sequence(conversations)
    turns = _with_delivery(turns, conversations, first_day=first_day)
    turns = turns.with_columns(messageId=identifiers(rng, turns.height), finalId=identifiers(rng, turns.height))
    turns = press_buttons(turns, rng)
    turns = end_turns(turns, rng)
    turns = turns.with_columns(rounds=pl.Series(_rounds(rng, turns, conversations)))
    return rerun_rate_limited(switch_models(turns, rng), rng)


def sequence(conversations: pl.DataFrame) -> pl.DataFrame:
    """Q8: turnIndices in the order in which they were tried; a retried one twice, a branch's after all others."""
    columns = {name: conversations[name].to_numpy() for name in ("turns", "laterTurns", "branchTo", "retryAt")}
    planned = columns["turns"] + columns["laterTurns"]
    rows = planned + (columns["branchTo"] > 0)
    conversation = np.repeat(np.arange(rows.size), rows)
    position = np.arange(conversation.size) - np.repeat(np.cumsum(rows) - rows, rows) + 1
    index = np.where(position > planned[conversation], columns["branchTo"][conversation], position)
    times = np.where(index == columns["retryAt"][conversation], 2, 1)
    conversation, index = np.repeat(conversation, times), np.repeat(index, times)
    following = np.append((conversation[1:] == conversation[:-1]) & (index[1:] == index[:-1]), [False])
    return pl.DataFrame({"conversation": conversation, "turnIndex": index, "isReplaced": following})


def _with_delivery(turns: pl.DataFrame, conversations: pl.DataFrame, *, first_day: bool) -> pl.DataFrame:
    """Where turns lie relative to the window, which sent nothing, and in which mode they were."""
    names = [
        "kind", "turns", "headLength", "lostFrom", "lostTo", "retryAt", "switchFrom", "switchTo", "oldClient",
        "subagentAt", "subagentIsMarked", "mode", "otherMode", "ownKey", "switchesModel", "userName", "reloadAt",
        "blankAt", "resetAt", "language",
    ]  # fmt: skip
    index = pl.col("turnIndex")
    switched = index.is_between("switchFrom", "switchTo") & (pl.col("switchFrom") > 0)
    other = pl.when("oldClient").then(None).otherwise("otherMode")
    return pl.concat([turns, conversations.select(names)[turns["conversation"]]], how="horizontal").with_columns(
        isHead=index <= pl.col("headLength"),
        isLater=index > pl.col("turns"),
        isSent=~index.is_between("lostFrom", "lostTo") & (first_day | (index > pl.col("headLength"))),
        isParent=index == pl.col("subagentAt"),
        mode=pl.when(switched).then(other).otherwise("mode"),
    )


def press_buttons(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q11: some later turns are a pressed button: its number in `button`, -1 for a typed request."""
    may = (turns["turnIndex"] > 1) & (turns["turnIndex"] != turns["retryAt"]) & (turns["turnIndex"] != turns["blankAt"])
    may &= (turns["mode"] == AGENT).fill_null(value=False)
    pressed = may.to_numpy() & chance(rng, turns.height, rates.CONTINUE_OF_LATER_TURNS)
    return turns.with_columns(button=pl.Series(np.where(pressed, weighted(rng, turns.height, BUTTON_WEIGHTS), -1)))


def end_turns(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q6: how each turn ends; one before a button ended as that button suggests."""
    explained = {
        ending: rates.CONTINUE
        * sum(weight for weight, after in zip(BUTTON_WEIGHTS, BUTTON_AFTER, strict=True) if after == ending)
        for ending in BUTTON_AFTER
    }
    others = {ending: max(share - explained.get(ending, 0.0), 0.0) for ending, share in rates.RESPONSE_TYPES.items()}
    drawn = picked(rng, turns.height, {SUCCESS: 1 - sum(others.values()), **others})
    same = pl.col("conversation") == pl.col("conversation").shift(-1)
    pressed_next = pl.when(same).then(pl.col("button").shift(-1)).otherwise(-1).fill_null(-1)
    given_up = pl.Series(chance(rng, turns.height, 0.5))
    return turns.with_columns(
        responseType=pl.when(pressed_next >= 0)
        .then(pressed_next.replace_strict(dict(enumerate(BUTTON_AFTER)), default=SUCCESS, return_dtype=pl.String()))
        .when("isParent")
        .then(pl.lit(SUCCESS))
        .when(pl.col("isReplaced") & given_up)
        .then(pl.lit("cancelled"))
        .otherwise(drawn),
        toolsOnly=pl.Series(chance(rng, turns.height, rates.TOOLS_ONLY)),
        sendsDetails=pl.col("mode").fill_null(AGENT).is_in(WITH_TOOLS)
        & ~pl.Series(chance(rng, turns.height, rates.DETAILS_MISSING)),
    ).with_columns(
        sendsDetails=pl.col("sendsDetails") | (pl.col("responseType") != SUCCESS),
        lastCallAnswers=~pl.col("responseType").is_in(UNANSWERED),
        lastRoundSpeaks=pl.col("responseType").is_in([SUCCESS, "maxToolCalls"]),
        isAnswered=pl.col("responseType") == SUCCESS,
    )


def _rounds(rng: np.random.Generator, turns: pl.DataFrame, conversations: pl.DataFrame) -> Integers:
    """Q1, Q16: LLM rounds; first turns have more; short and foreign conversations one, for volume."""
    first = turns["turnIndex"].to_numpy() == 1
    median = np.where(first, rates.FIRST_ROUNDS_MEDIAN, rates.LATER_ROUNDS_MEDIAN)
    sigma = np.where(first, rates.FIRST_ROUNDS_SIGMA, rates.LATER_ROUNDS_SIGMA)
    drawn = np.clip(np.rint(lognormal(rng, turns.height, median, sigma)), 1, rates.ROUNDS_LIMIT).astype(np.int64)
    worked = of(conversations, *OF_CANDIDATE_LENGTH)[turns["conversation"].to_numpy()]
    worked &= turns["mode"].is_in([AGENT]).fill_null(value=False).to_numpy()
    plain = np.where(worked, drawn, 1)
    stopped = (turns["responseType"] == "maxToolCalls").to_numpy() | turns["isParent"].to_numpy()
    return np.where(stopped, np.maximum(plain, 2), plain)


def switch_models(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q19, Q26: the model of each turn, and whether it runs on a person's own key and tells no token counts."""
    size = turns.height
    conversation = turns["conversation"].to_numpy()
    begins = np.append([True], conversation[1:] != conversation[:-1])
    switched = turns["switchesModel"].to_numpy() & chance(rng, size, rates.MODEL_SWITCH_PER_TURN)
    drawn = weighted(rng, size, [model.share for model in MODELS])
    since = np.maximum.accumulate(np.where(begins | switched, np.arange(size), 0))
    own = turns["ownKey"].to_numpy() | chance(rng, size, rates.OWN_KEY_TURN)
    others = len(MODELS) + between(rng, 0, len(OWN_KEY_MODELS) - 1, size)
    model = np.where(own, others, drawn[since])
    return turns.with_columns(modelNumber=pl.Series(model), model=NAMES.gather(model), isOwnKey=pl.Series(own))


def rerun_rate_limited(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q9: a first turn was rate limited and run again under the same messageId, by another model (`firstModel`)."""
    may = (turns["turnIndex"] == 1) & turns["isAnswered"] & (turns["button"] < 0) & (turns["mode"] == AGENT)
    may &= turns["sendsDetails"] & ~turns["isOwnKey"]
    rerun = may.fill_null(value=False).to_numpy() & chance(rng, turns.height, rates.RERUN_OF_FIRST_TURNS)
    other = (turns["modelNumber"].to_numpy() + 1) % len(MODELS)
    first = pl.when(pl.Series(rerun)).then(NAMES.gather(other))
    return turns.with_columns(firstModel=first)


def blank_rows(turns: pl.DataFrame) -> Booleans:
    """Turns whose user message a person would not see."""
    return (turns["blankAt"] == turns["turnIndex"]).to_numpy()
