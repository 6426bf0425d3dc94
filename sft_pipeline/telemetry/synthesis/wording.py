"""Who says what: gives every attempt its user message and its final answer, from the pools.

Belongs here: choosing and joining texts so that their lengths and difficulty fit the turn.
Does not belong here: the texts (requests, answers, texts), the events that carry them (messages).
Texts stand escaped, as between the quotes of a JSON string; null is a missing property.
"""

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.population import OF_CANDIDATE_LENGTH
from sft_pipeline.telemetry.synthesis.randomness import Booleans, Floats, Integers, between, chance, lognormal
from sft_pipeline.telemetry.synthesis.texts import Pools, Texts, near_length
from sft_pipeline.telemetry.synthesis.turns import blank_rows

HARDNESS_NOISE = 0.8
MODERATE_FROM, HARD_FROM = 0.35, 1.3
"""Bounds on log(rounds) plus noise: hard requests take more rounds, mostly."""
FOLLOW_UP = 0.6
"""Later turns that refer to what was said before."""


def with_requests(turns: pl.DataFrame, pools: Pools, rng: np.random.Generator) -> pl.DataFrame:
    """Q28: the user messages, `userCut` as store A keeps them, `userWhole`, `userUnits` in UTF-16 units."""
    size = turns.height
    usual, units, secretive = _usual_requests(turns, pools, rng)
    button = turns["button"].to_numpy()
    blank = blank_rows(turns)
    blanks = between(rng, 0, len(pools.blanks.units) - 1, size)
    long = chance(rng, size, rates.LONG_USER_TEXT) & (button < 0) & ~blank
    which = between(rng, 0, len(pools.long_requests.units) - 1, size)
    pressed = np.maximum(button, 0)
    units = np.where(button >= 0, pools.buttons.units[pressed], np.where(blank, pools.blanks.units[blanks], units))
    cases = (
        (pl.Series(blank), pools.blanks.escaped.gather(blanks)),
        (pl.Series(button >= 0), pools.buttons.escaped.gather(pressed)),
    )
    return turns.with_columns(
        userCut=_first_case(*cases, (pl.Series(long), pools.long_requests.sent_cut.gather(which)), usual=usual),
        userWhole=_first_case(*cases, (pl.Series(long), pools.long_requests.sent_whole.gather(which)), usual=usual),
        userUnits=pl.Series(np.where(long, pools.long_requests.units[which], units)),
        userIsLong=pl.Series(long),
        hasSecret=pl.Series(secretive & (button < 0) & ~blank & ~long),
    )


def with_answers(turns: pl.DataFrame, pools: Pools, rng: np.random.Generator) -> pl.DataFrame:
    """The final answers: `finalCut` as store A keeps them, `finalWhole`, `finalIsLong`; null after tool-only turns."""
    size = turns.height
    opening = between(rng, 0, len(pools.openings.units) - 1, size)
    body = _near(pools.bodies, rng, _lengths(turns, rates.ANSWER_MEDIAN), rates.ANSWER_SIGMA)
    usual = _joined(pools.openings.escaped.gather(opening), pools.bodies.escaped.gather(body))
    silent = turns["toolsOnly"].to_numpy()
    long = chance(rng, size, rates.LONG_ANSWER) & ~silent & turns["isAnswered"].to_numpy()
    which = between(rng, 0, len(pools.long_answers.units) - 1, size)
    nothing = (pl.Series(silent), pl.repeat(None, size, dtype=pl.String(), eager=True))
    return turns.with_columns(
        finalCut=_first_case(nothing, (pl.Series(long), pools.long_answers.sent_cut.gather(which)), usual=usual),
        finalWhole=_first_case(nothing, (pl.Series(long), pools.long_answers.sent_whole.gather(which)), usual=usual),
        finalIsLong=pl.Series(long),
    )


def _usual_requests(
    turns: pl.DataFrame, pools: Pools, rng: np.random.Generator
) -> tuple[pl.Series, Integers, Booleans]:
    """Requests of fitting difficulty, some with details, a few with a secret; their units; which have a secret."""
    size = turns.height
    request = _by_difficulty(turns, pools, rng)
    detail = _near(pools.details, rng, _lengths(turns, rates.USER_DETAIL_MEDIAN), rates.USER_DETAIL_SIGMA)
    secret = between(rng, 0, len(pools.secrets.units) - 1, size)
    detailed, secretive = chance(rng, size, rates.USER_DETAIL), chance(rng, size, rates.SECRET)
    text = _joined(
        pools.requests.escaped.gather(request),
        _where(detailed, pools.details.escaped.gather(detail)),
        _where(secretive, pools.secrets.escaped.gather(secret)),
    )
    units = pools.requests.units[request] + detailed * pools.details.units[detail]
    return text, units + secretive * pools.secrets.units[secret], secretive


def _by_difficulty(turns: pl.DataFrame, pools: Pools, rng: np.random.Generator) -> Integers:
    """Where in the pool of requests stands one as hard as the turn's rounds suggest."""
    size = turns.height
    hardness = np.log(turns["rounds"].to_numpy()) + HARDNESS_NOISE * rng.standard_normal(size)
    later = (turns["turnIndex"].to_numpy() > 1) & chance(rng, size, FOLLOW_UP)
    tier = np.where(later, 3, (hardness > MODERATE_FROM).astype(np.int64) + (hardness > HARD_FROM))
    bounds = np.array(list(pools.request_bounds.values()))
    return between(rng, bounds[tier, 0], bounds[tier, 1] - 1, size)


def _lengths(turns: pl.DataFrame, median: float) -> Floats:
    """The median length per turn; conversations around the candidates say less, for volume."""
    ranged = turns["kind"].is_in([str(kind) for kind in OF_CANDIDATE_LENGTH]).to_numpy()
    return np.where(ranged, median, median * rates.OTHERS_TEXT)


def _near(pool: Texts, rng: np.random.Generator, median: Floats, sigma: float) -> Integers:
    return near_length(pool, np.rint(lognormal(rng, median.size, median, sigma)).astype(np.int64))


def _joined(*parts: pl.Series) -> pl.Series:
    named = [part.alias(str(number)) for number, part in enumerate(parts)]
    return pl.DataFrame(named).select(pl.concat_str(pl.all())).to_series()


def _where(chosen: Booleans, texts: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"chosen": chosen, "text": texts})
    return frame.select(pl.when("chosen").then("text").otherwise(pl.lit(""))).to_series()


def _first_case(*cases: tuple[pl.Series, pl.Series], usual: pl.Series) -> pl.Series:
    """The text of the first case that holds, else the usual one."""
    text = usual
    for holds, other in reversed(cases):
        frame = pl.DataFrame({"holds": holds, "other": other, "text": text})
        text = frame.select(pl.when("holds").then("other").otherwise("text")).to_series()
    return text
