"""When it happens: begin and duration of every attempt, in microseconds since 1970, and of subagents within.

Belongs here: pauses, durations, where conversations lie on their day and at the edges of the window.
Does not belong here: times of single events (rounds, messages, calls).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.randomness import Floats, Integers, between, identifiers, lognormal

SECOND = 1_000_000
MILLISECOND = 1_000
SUBAGENT_SPAN = (1.0, 1.45)
"""In parts of a round: the parent's first round ends within 1, its second not before 1.5; the subagent runs between."""
ROUND_JITTER = 0.5
SUBAGENT_ROUNDS = (1, 3)


@dataclass(frozen=True)
class Days:
    """The day on which a batch's conversations begin, and the window [start, end) around it."""

    day: date
    start: date
    end: date

    @property
    def is_first(self) -> bool:
        """Whether what lies before this day lies before the window."""
        return self.day == self.start

    @property
    def is_last(self) -> bool:
        """Whether what lies after this day lies after the window."""
        return self.day + timedelta(days=1) == self.end


def microseconds(day: date) -> int:
    """The first instant of a day in UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp()) * SECOND


def schedule(turns: pl.DataFrame, conversations: pl.DataFrame, days: Days, rng: np.random.Generator) -> pl.DataFrame:
    """Give every attempt its `start` and `duration`; attempts of a conversation follow each other."""
    conversation = turns["conversation"].to_numpy()
    duration, pause = durations(turns, rng), _pauses(turns, rng)
    ends = np.cumsum(duration + pause)
    first = np.searchsorted(conversation, np.arange(conversations.height))
    before = np.append(0.0, ends)[first]
    elapsed = ends - before[conversation]
    last = np.append(first[1:], conversation.size) - 1
    span = elapsed[last]
    scale = np.minimum(1.0, rates.SPAN_LIMIT / span)
    start = (elapsed - duration) * scale[conversation]
    begin = _begin(conversations, span * scale, days)
    return turns.with_columns(
        start=pl.Series(_placed(turns, start, begin, span * scale, days)),
        duration=pl.Series(_whole(duration * scale[conversation])),
    )


def durations(turns: pl.DataFrame, rng: np.random.Generator) -> Floats:
    """Q20: seconds, with a long tail of waiting for people; a subagent takes its time."""
    drawn = lognormal(rng, turns.height, rates.DURATION_MEDIAN, rates.DURATION_SIGMA)
    least = np.where(turns["isParent"].to_numpy(), rates.SUBAGENT_PARENT_DURATION, rates.DURATION_LIMITS[0])
    return np.clip(drawn, least, rates.DURATION_LIMITS[1])


def _pauses(turns: pl.DataFrame, rng: np.random.Generator) -> Floats:
    return np.clip(lognormal(rng, turns.height, rates.PAUSE_MEDIAN, rates.PAUSE_SIGMA), *rates.PAUSE_LIMITS)


def _begin(conversations: pl.DataFrame, span: Floats, days: Days) -> Floats:
    """Seconds after midnight; on the last day early enough to end within the window."""
    drawn = (conversations["hour"].to_numpy() + conversations["startDraw"].to_numpy()) * 3_600.0
    room = 86_400.0 - span - rates.EDGE_MARGIN
    late = (drawn > room) & days.is_last
    return np.where(late, conversations["startDraw"].to_numpy() * room, drawn)


def _placed(turns: pl.DataFrame, start: Floats, begin: Floats, span: Floats, days: Days) -> Integers:
    """Q7d, Q23: heads lie before the window, turns that the window misses after it, all others on their day."""
    conversation = turns["conversation"].to_numpy()
    usual = microseconds(days.day) + _whole(begin[conversation] + start)
    before = microseconds(days.start) + _whole(start - span[conversation] - rates.EDGE_MARGIN)
    after = microseconds(days.end) + _whole(start + rates.EDGE_MARGIN)
    return np.where(turns["isHead"].to_numpy(), before, np.where(turns["isLater"].to_numpy(), after, usual))


def _whole(seconds: Floats) -> Integers:
    """Seconds as microseconds, to the millisecond."""
    return np.floor(seconds * 1_000).astype(np.int64) * MILLISECOND


def with_subagents(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q10: a subagent is a first turn of its own within a tool round of its parent, under the same conversationId."""
    parents = turns.filter(pl.col("isParent") & pl.col("isSent"))
    size = parents.height
    low, high = SUBAGENT_SPAN
    step = pl.col("duration") / pl.col("rounds")
    begin = pl.col("start") + (step * low).cast(pl.Int64)
    children = parents.with_columns(
        start=begin,
        duration=(step * (high - low)).cast(pl.Int64),
        turnIndex=pl.lit(1, pl.Int64()),
        rounds=pl.Series(between(rng, *SUBAGENT_ROUNDS, size)),
        messageId=identifiers(rng, size),
        finalId=identifiers(rng, size),
        button=pl.lit(-1, pl.Int64()),
        firstModel=pl.lit(None, pl.String()),
        isSubagent=pl.lit(value=True),
        isMarked="subagentIsMarked",
    )
    return pl.concat([turns.with_columns(isSubagent=pl.lit(value=False), isMarked=pl.lit(value=False)), children])
