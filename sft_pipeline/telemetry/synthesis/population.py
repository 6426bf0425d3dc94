"""Which conversations there are: the candidates and the population around them.

Belongs here: kinds of conversations, how many of each come with the candidates, how many turns they have.
Does not belong here: what happens in them (conversations, turns).
"""

from enum import StrEnum
from math import ceil

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.randomness import Booleans, Integers, weighted

AGENT = "agent"
"""The mode that the query looks for."""


class Kind(StrEnum):
    """What a conversation is made for; only candidates and blank ones pass the query."""

    CANDIDATE = "candidate"
    BLANK_MESSAGE = "blank_message"
    ONE_TURN = "one_turn"
    TWO_TURNS = "two_turns"
    MANY_TURNS = "many_turns"
    HEAD_MISSING = "head_missing"
    TURN_MISSING = "turn_missing"
    MODE_SWITCHED = "mode_switched"
    BRANCH_ABANDONED = "branch_abandoned"
    SUBAGENT_UNMARKED = "subagent_unmarked"
    ID_BLANK = "id_blank"
    OTHER_MODE = "other_mode"
    MODE_MISSING = "mode_missing"


OF_CANDIDATE_LENGTH = (
    Kind.CANDIDATE,
    Kind.BLANK_MESSAGE,
    Kind.HEAD_MISSING,
    Kind.TURN_MISSING,
    Kind.MODE_SWITCHED,
    Kind.BRANCH_ABANDONED,
    Kind.SUBAGENT_UNMARKED,
)


def per_candidate() -> dict[Kind, float]:
    """How many conversations of each kind come with one candidate."""
    lost = (
        rates.HEAD_MISSING + rates.TURN_MISSING + rates.MODE_SWITCHED + rates.ABANDONED_BRANCH + rates.UNMARKED_SUBAGENT
    )
    ranged = 1 / (1 - lost)
    agent = ranged / rates.THREE_TO_TWENTY_TURNS
    everything = agent / (1 - sum(rates.OTHER_MODES.values()) - rates.MODE_MISSING)
    return {
        Kind.CANDIDATE: 1.0,
        Kind.BLANK_MESSAGE: rates.INVALID,
        Kind.ONE_TURN: agent * rates.ONE_TURN,
        Kind.TWO_TURNS: agent * rates.TWO_TURNS,
        Kind.MANY_TURNS: agent * rates.MORE_TURNS,
        Kind.HEAD_MISSING: ranged * rates.HEAD_MISSING,
        Kind.TURN_MISSING: ranged * rates.TURN_MISSING,
        Kind.MODE_SWITCHED: ranged * rates.MODE_SWITCHED,
        Kind.BRANCH_ABANDONED: ranged * rates.ABANDONED_BRANCH,
        Kind.SUBAGENT_UNMARKED: ranged * rates.UNMARKED_SUBAGENT,
        Kind.ID_BLANK: agent * rates.BLANK_CONVERSATION_ID,
        Kind.OTHER_MODE: everything * sum(rates.OTHER_MODES.values()),
        Kind.MODE_MISSING: everything * rates.MODE_MISSING,
    }


def population(*, candidates: int, before: int) -> pl.Series:
    """The kind of each conversation of a batch: exactly so many candidates, the others as the rates say.

    Args:
        candidates: of this batch.
        before: of earlier batches; the batches of a generation together have at least one conversation of each kind.
    """
    counts = [ceil(per * (before + candidates)) - ceil(per * before) for per in per_candidate().values()]
    kinds = pl.Series([str(kind) for kind in per_candidate()])
    return kinds.gather(np.repeat(np.arange(len(kinds)), counts))


def of(conversations: pl.DataFrame, *kinds: Kind) -> Booleans:
    """Which conversations are of one of these kinds."""
    return conversations["kind"].is_in([str(kind) for kind in kinds]).to_numpy()


def turn_counts(rng: np.random.Generator, kinds: pl.Series) -> Integers:
    """Turns per conversation, as the kind demands."""
    size = len(kinds)
    lengths = np.arange(rates.MIN_TURNS, rates.MAX_TURNS + 1)
    shares = (lengths**-rates.TURNS_EXPONENT * np.exp(-rates.TURNS_DECAY * lengths)).tolist()
    ranged = lengths[weighted(rng, size, shares)]
    excess = np.ceil(rng.exponential(rates.MORE_TURNS_MEAN_EXCESS, size)).astype(np.int64)
    many = np.minimum(rates.MAX_TURNS + np.maximum(excess, 1), rates.MORE_TURNS_LIMIT)
    few = 1 + weighted(rng, size, rates.OTHER_MODE_TURNS)
    frame = pl.DataFrame({"kind": kinds, "ranged": ranged, "many": many, "few": few})
    turns = (
        pl.when(pl.col("kind").is_in([str(kind) for kind in OF_CANDIDATE_LENGTH]))
        .then("ranged")
        .when(pl.col("kind") == Kind.ONE_TURN)
        .then(1)
        .when(pl.col("kind") == Kind.TWO_TURNS)
        .then(2)
        .when(pl.col("kind") == Kind.MANY_TURNS)
        .then("many")
        .otherwise("few")
    )
    return frame.select(turns.cast(pl.Int64)).to_series().to_numpy()
