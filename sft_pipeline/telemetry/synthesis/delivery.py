"""How events reach the table: through which store, how often, with which columns.

Belongs here: store A and store B, transport duplicates, the columns that are the same for all events.
Does not belong here: what was sent (sending, messages, calls), files (generation).
"""

import numpy as np
import polars as pl

from sft_pipeline.telemetry.events import APP_ROLE_NAME, RAW_SCHEMA, STORE_A_KEY, STORE_B_KEY, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.calls import (
    call_inputs,
    call_outputs,
    rate_limited_runs,
    request_counters,
    supplementary_calls,
    tool_call_details,
)
from sft_pipeline.telemetry.synthesis.messages import (
    final_messages,
    model_messages,
    session_messages,
    session_responses,
    user_messages,
)
from sft_pipeline.telemetry.synthesis.randomness import chance
from sft_pipeline.telemetry.synthesis.sending import Sending
from sft_pipeline.telemetry.synthesis.texts import Pools
from sft_pipeline.telemetry.synthesis.timeline import SECOND


def deliver(sending: Sending, pools: Pools, rng: np.random.Generator) -> pl.DataFrame:
    """All events of the attempts, in the columns of `RAW_SCHEMA`."""
    unread = pl.concat([rate_limited_runs(sending, rng), supplementary_calls(sending, rng)])
    everything = pl.concat([_sent(sending, pools, whole=False), unread])
    stored = pl.concat(
        [
            everything.with_columns(IKey=pl.lit(STORE_A_KEY)),
            store_twice(sending, pools, unread),
            keep_whole(sending, rng),
        ]
    )
    return _as_rows(repeat_in_transport(stored, rng))


def _sent(sending: Sending, pools: Pools, *, whole: bool) -> pl.DataFrame:
    """The events that follow from the frames alone, so that a second store gets the same."""
    return pl.concat(
        [
            user_messages(sending, whole=whole),
            model_messages(sending, pools),
            final_messages(sending, whole=whole),
            call_outputs(sending),
            call_inputs(sending),
            tool_call_details(sending),
            request_counters(sending),
            session_messages(sending),
            session_responses(sending, pools),
        ]
    )


def store_twice(sending: Sending, pools: Pools, unread: pl.DataFrame) -> pl.DataFrame:
    """Q3: some conversations' events stand in store B once more, where no text is cut."""
    twice = sending.only(sending.turns["secondStore"].to_numpy())
    sessions = twice.turns["SessionId"].unique()
    others = unread.filter(pl.col("SessionId").is_in(sessions.implode()))
    return pl.concat([_sent(twice, pools, whole=True), others]).with_columns(IKey=pl.lit(STORE_B_KEY))


def keep_whole(sending: Sending, rng: np.random.Generator) -> pl.DataFrame:
    """Q3: of the other conversations store B holds the messages that store A had to cut, nearly always."""
    turns = sending.turns
    kept = ~turns["secondStore"].to_numpy() & chance(rng, turns.height, rates.STORE_B_KEEPS)
    asked = sending.only(kept & turns["userIsLong"].to_numpy())
    answered = sending.only(kept & turns["finalIsLong"].to_numpy())
    told = [user_messages(asked, whole=True), final_messages(answered, whole=True)]
    return pl.concat(told).with_columns(IKey=pl.lit(STORE_B_KEY))


def repeat_in_transport(events: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q4: some events are delivered once more, at the same time or within a minute; metrics at the same time."""
    again = events.filter(pl.Series(chance(rng, events.height, rates.TRANSPORT_DUPLICATES)))
    delay = np.floor(np.maximum(rng.random(again.height) * 2 - 1, 0.0) * (rates.TRANSPORT_DELAY * SECOND - 1)).astype(
        np.int64
    )
    late = pl.when(pl.col("Name") == TOOL_CALL_DETAILS).then(0).otherwise(pl.Series(delay))
    return pl.concat([events, again.with_columns(TimeGenerated=pl.col("TimeGenerated") + late)])


def _as_rows(events: pl.DataFrame) -> pl.DataFrame:
    return events.select(
        pl.col("TimeGenerated").cast(pl.Datetime("us", "UTC")),
        "Name",
        "Properties",
        "Measurements",
        "UserId",
        "SessionId",
        OperationId=pl.lit(""),
        AppRoleName=pl.lit(APP_ROLE_NAME),
        IKey="IKey",
        ItemCount=pl.lit(1, pl.Int32()),
    ).match_to_schema(RAW_SCHEMA)
