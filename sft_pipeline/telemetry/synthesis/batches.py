"""How a whole generation is cut into batches: conversations that begin on one day, each batch on its own.

Belongs here: which batch has how many candidates on which day, making one batch's events.
Does not belong here: files and totals (generation).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

import polars as pl

from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.calls import with_tools
from sft_pipeline.telemetry.synthesis.conversations import plan_conversations
from sft_pipeline.telemetry.synthesis.delivery import deliver
from sft_pipeline.telemetry.synthesis.randomness import apportioned, generator
from sft_pipeline.telemetry.synthesis.rounds import plan_rounds, retried_calls
from sft_pipeline.telemetry.synthesis.sending import Sending, addressed
from sft_pipeline.telemetry.synthesis.texts import pools_of
from sft_pipeline.telemetry.synthesis.timeline import Days, schedule, with_subagents
from sft_pipeline.telemetry.synthesis.turns import plan_turns
from sft_pipeline.telemetry.synthesis.wording import with_answers, with_requests

BATCH_CANDIDATES = 4_000
"""About 450,000 events: enough to fill columns, little enough for memory."""


@dataclass(frozen=True)
class Batch:
    """A number of candidates on one day; `number` is also its stream of random numbers."""

    number: int
    before: int
    candidates: int
    days: Days


class Made(NamedTuple):
    """What a batch consists of: its plan and the events that tell of it."""

    conversations: pl.DataFrame
    sending: Sending
    planned: pl.DataFrame
    events: pl.DataFrame


def batches_of(*, conversations: int, days: int, end: date) -> list[Batch]:
    """The batches of a generation, day by day; days without a candidate have none."""
    start = end - timedelta(days=days)
    dates = [start + timedelta(days=number) for number in range(days)]
    per_day = apportioned(conversations, [rates.WEEKDAYS[day.weekday()] for day in dates])
    parts = [
        (part, Days(day, start, end))
        for day, total in zip(dates, per_day, strict=True)
        for part in apportioned(total, [1] * -(-total // BATCH_CANDIDATES) or [1])
    ]
    before = accumulate((part for part, _ in parts), initial=0)
    return [
        Batch(number, done, *part) for number, (done, part) in enumerate(zip(before, parts, strict=False)) if part[0]
    ]


def make(batch: Batch, *, seed: int, second_store: float) -> Made:
    """The events of one batch, a pure function of the arguments."""
    rng = generator(seed, batch.number)
    pools = pools_of(seed)
    conversations = plan_conversations(
        rng,
        candidates=batch.candidates,
        before=batch.before,
        last_day=batch.days.is_last,
        second_store=second_store,
    )
    turns = plan_turns(rng, conversations, first_day=batch.days.is_first)
    turns = with_subagents(schedule(turns, conversations, batch.days, rng), rng)
    turns = with_answers(with_requests(with_tools(turns, rng), pools, rng), pools, rng)
    rounds = plan_rounds(rng, turns)
    everything = Sending(addressed(turns, conversations), rounds, pl.concat([rounds, retried_calls(rounds, rng)]))
    sending = everything.only(turns["isSent"].to_numpy())
    return Made(conversations, sending, turns, deliver(sending, pools, rng))
