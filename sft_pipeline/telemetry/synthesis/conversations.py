"""What will go wrong in each conversation: one row per conversation of a batch.

Belongs here: who talks, and where in a conversation each quirk strikes.
Does not belong here: how many there are (population), turns (turns), what the query must make of it (truth).
Positions count turns from 1; 0 means that the quirk does not strike.
"""

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.population import AGENT, Kind, of, population, turn_counts
from sft_pipeline.telemetry.synthesis.randomness import (
    Booleans,
    Integers,
    between,
    chance,
    identifiers,
    picked,
    weighted,
)

LOGINS = (
    "ada",
    "bo",
    "chen",
    "devi",
    "emeka",
    "fatma",
    "grace",
    "hiro",
    "ines",
    "jonas",
    "kaveh",
    "lin",
    "mira",
    "noor",
)
LANGUAGES = {
    "": 1 - rates.LANGUAGE_KNOWN,
    "python": rates.LANGUAGE_KNOWN / 2,
    "typescript": rates.LANGUAGE_KNOWN / 4,
    "csharp": rates.LANGUAGE_KNOWN / 4,
}
USERS_PER_LOGIN = 900
USER_SKEW = 2.5
"""A few people talk much: the user's rank is a uniform draw raised to this power."""


def plan_conversations(
    rng: np.random.Generator, *, candidates: int, before: int, last_day: bool, second_store: float
) -> pl.DataFrame:
    """The conversations of a batch, `before` being the number of candidates of earlier batches."""
    planned = pl.DataFrame({"kind": population(candidates=candidates, before=before)})
    planned = planned.with_columns(turns=pl.Series(turn_counts(rng, planned["kind"])))
    planned = identify(planned, rng, second_store)
    for strike in (lose_heads, lose_turns, switch_modes, abandon_branches, retry_turns, run_subagents):
        planned = strike(planned, rng)
    planned = go_on_after_the_window(planned, rng, last_day=last_day)
    return _with_traits(planned, rng)


def identify(planned: pl.DataFrame, rng: np.random.Generator, second_store: float) -> pl.DataFrame:
    """Q3, Q27: ids, the person if the client knew one, and whether a second store holds everything once more."""
    size = planned.height
    users = np.floor(rng.random(size) ** USER_SKEW * len(LOGINS) * USERS_PER_LOGIN).astype(np.int64)
    user = pl.Series("user", users)
    logins = pl.Series(LOGINS).gather(users % len(LOGINS))
    undefined = pl.Series(chance(rng, size, rates.USER_UNDEFINED))
    mode = pl.when(pl.col("kind") == Kind.OTHER_MODE).then("otherMode")
    return planned.with_columns(
        conversationId=identifiers(rng, size),
        SessionId=identifiers(rng, size),
        laterSessionId=identifiers(rng, size),
        UserId=pl.format("machine-{}", user.cast(pl.String()).str.zfill(5)),
        userName=pl.when(undefined).then(pl.lit("undefined")).otherwise(pl.format("{}-{}", logins, user)),
        otherMode=picked(rng, size, rates.OTHER_MODES),
        idIsEmpty=pl.Series(chance(rng, size, 0.5)),
        secondStore=pl.Series(chance(rng, size, second_store)),
    ).with_columns(
        mode=mode.when(pl.col("kind") == Kind.MODE_MISSING).then(pl.lit(None, pl.String())).otherwise(pl.lit(AGENT))
    )


def _striking(where: Booleans, positions: Integers) -> pl.Series:
    return pl.Series(np.where(where, positions, 0))


def _lengths(planned: pl.DataFrame) -> Integers:
    return planned["turns"].to_numpy()


def lose_heads(planned: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q7d, Q18: the first turns lie before the window or were never delivered."""
    lost = between(rng, 1, _lengths(planned) - 1, planned.height)
    return planned.with_columns(headLength=_striking(of(planned, Kind.HEAD_MISSING), lost))


def lose_turns(planned: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q7a-c: one or two turns in the middle sent nothing."""
    turns = _lengths(planned)
    first = between(rng, 2, turns - 1, planned.height)
    last = np.minimum(first + chance(rng, planned.height, rates.TWO_TURNS_LOST), turns - 1)
    hit = of(planned, Kind.TURN_MISSING)
    return planned.with_columns(lostFrom=_striking(hit, first), lostTo=_striking(hit, last))


def switch_modes(planned: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q7e, Q7f: some turns are in another mode, or came from a client that sent none."""
    turns = _lengths(planned)
    size = planned.height
    old = chance(rng, size, rates.OLD_CLIENT_FIRST)
    first = np.where(old, 1, between(rng, 1, turns, size))
    last = np.minimum(between(rng, first, first + 2, size), np.where(first == 1, turns - 1, turns))
    hit = of(planned, Kind.MODE_SWITCHED)
    return planned.with_columns(
        switchFrom=_striking(hit, first), switchTo=_striking(hit, last), oldClient=pl.Series(hit & old)
    )


def abandon_branches(planned: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q8: an early turn is edited and sent again after later ones, and nothing follows."""
    back = between(rng, 1, _lengths(planned) - 1, planned.height)
    return planned.with_columns(branchTo=_striking(of(planned, Kind.BRANCH_ABANDONED), back))


def retry_turns(planned: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q8: a turn is tried twice under one turnIndex; beside a hole it hides the hole from whoever counts messages."""
    turns = _lengths(planned)
    share = (rates.RETRIED - rates.ABANDONED_BRANCH) / (1 - rates.ABANDONED_BRANCH)
    retried = of(planned, Kind.CANDIDATE, Kind.MANY_TURNS) & chance(rng, planned.height, share)
    hiding = of(planned, Kind.TURN_MISSING) & chance(rng, planned.height, rates.RETRY_BESIDE_HOLE)
    anywhere = between(rng, 1, turns, planned.height)
    return planned.with_columns(retryAt=_striking(retried | hiding, np.where(hiding, turns, anywhere)))


def run_subagents(planned: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q10: a turn runs a subagent; one that no call marks looks like another first turn."""
    turns = _lengths(planned)
    size = planned.height
    retried = planned["retryAt"].to_numpy() > 0
    marked = of(planned, Kind.CANDIDATE, Kind.MANY_TURNS) & ~retried & chance(rng, size, rates.SUBAGENT)
    unmarked = of(planned, Kind.SUBAGENT_UNMARKED)
    alone = of(planned, Kind.ONE_TURN) & chance(rng, size, rates.UNMARKED_SUBAGENT)
    parent = np.where(alone, 1, between(rng, np.where(unmarked, 2, 1), turns, size))
    return planned.with_columns(
        subagentAt=_striking(marked | unmarked | alone, parent), subagentIsMarked=pl.Series(marked)
    )


def go_on_after_the_window(planned: pl.DataFrame, rng: np.random.Generator, *, last_day: bool) -> pl.DataFrame:
    """Q23: some candidates of the last day have later turns, which the window does not hold."""
    size = planned.height
    running = of(planned, Kind.CANDIDATE) & chance(rng, size, rates.CENSORED_ON_LAST_DAY) & np.array(last_day)
    return planned.with_columns(laterTurns=_striking(running, between(rng, 1, 4, size)))


def _with_traits(planned: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Properties of a conversation that change no verdict."""
    size = planned.height
    turns = _lengths(planned)
    reloaded = (turns > 1) & chance(rng, size, rates.WINDOW_RELOADED)
    reset = (turns > rates.RESET_AFTER_TURNS) & chance(rng, size, rates.CONTEXT_RESET)
    return planned.with_columns(
        blankAt=_striking(of(planned, Kind.BLANK_MESSAGE), between(rng, 1, turns, size)),
        reloadAt=_striking(reloaded, between(rng, 2, turns, size)),
        resetAt=_striking(reset, between(rng, 4, turns - 1, size)),
        switchesModel=pl.Series(chance(rng, size, rates.MODEL_SWITCHER)),
        ownKey=pl.Series(chance(rng, size, rates.OWN_KEY_CONVERSATION)),
        sendsSession=pl.Series(chance(rng, size, rates.SESSION_EVENTS)),
        supplementary=pl.Series(chance(rng, size, rates.SUPPLEMENTARY_CALLS)),
        language=picked(rng, size, LANGUAGES),
        startDraw=pl.Series(rng.random(size)),
        hour=pl.Series(weighted(rng, size, rates.HOURS)),
    )
