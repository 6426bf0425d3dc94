"""The events without text: LLM calls, what a turn's tools did, counters.

Belongs here: engine.messages.length, toolCallDetailsInternal, model.request.added.
Does not belong here: messages (messages), how many calls there are (rounds).
"""

import numpy as np
import polars as pl

from sft_pipeline.telemetry.events import ENGINE_MESSAGES, PREFIX, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.synthesis import rates
from sft_pipeline.telemetry.synthesis.models import (
    FAMILIES,
    FAMILY_OF,
    LARGEST_TOTAL,
    tool_counts,
    tool_counts_index,
)
from sft_pipeline.telemetry.synthesis.randomness import Integers, identifiers
from sft_pipeline.telemetry.synthesis.sending import Sending, beside_turn, events_of
from sft_pipeline.telemetry.synthesis.timeline import MILLISECOND

MODEL_REQUEST = PREFIX + "model.request.added"
DETAILS_DELAY = 4 * MILLISECOND
EXTRA_PARALLEL = (2, 0.3)
"""A round with parallel calls has 2 to 4: one more, and up to two others with this chance each."""
SIDE_SOURCES = ("title", "intentDetection")
SIDE_MODEL = "gpt-4o-mini"
CONTEXT_WINDOW = 128_000


def with_tools(turns: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Q12, Q25: rounds as the client counts them, and calls per tool; parallel calls make these more than rounds."""
    counted = turns["rounds"].to_numpy() - (~turns["lastCallAnswers"]).to_numpy()
    calling = np.maximum(counted - turns["isAnswered"].to_numpy(), 0)
    family = FAMILY_OF[turns["modelNumber"].to_numpy()]
    total = np.minimum(calling + _parallel_calls(rng, calling, family), LARGEST_TOTAL)
    return turns.with_columns(
        numRequests=pl.Series(counted),
        toolCalls=pl.Series(total),
        toolCounts=tool_counts().gather(tool_counts_index(rng, family, total)),
    )


def _parallel_calls(rng: np.random.Generator, rounds: Integers, family: Integers) -> Integers:
    """Q12: calls beyond the first of their round."""
    share = np.array([rates.PARALLEL_ROUNDS[name] for name in FAMILIES])[family]
    parallel = rng.binomial(rounds, share)
    places, more = EXTRA_PARALLEL
    return parallel + rng.binomial(parallel * places, more)


def call_outputs(sending: Sending) -> pl.DataFrame:
    """Q10, Q16, Q26: what a call brought; subagents' are marked by newer clients, some providers tell no tokens."""
    rows = beside_turn(sending.calls.filter("hasOutput"), sending.turns, CALL_COLUMNS)
    tokens = pl.format('{{"promptTokens":{},"completionTokens":{}}}', "promptTokens", "completionTokens")
    told = pl.when("isOwnKey").then(pl.lit("{}")).otherwise(tokens)
    return events_of(rows, ENGINE_MESSAGES, time=pl.col("time"), properties=_call("output", "model"), measurements=told)


def call_inputs(sending: Sending) -> pl.DataFrame:
    """Q14: what a call was asked; sent for failed calls too."""
    asked = sending.calls.filter(pl.col("sendsInput") | ~pl.col("hasOutput"))
    rows = beside_turn(asked, sending.turns, CALL_COLUMNS)
    window = pl.lit(f'{{"maxTokenWindow":{CONTEXT_WINDOW}}}')
    return events_of(
        rows, ENGINE_MESSAGES, time=pl.col("time"), properties=_call("input", "model"), measurements=window
    )


def rate_limited_runs(sending: Sending, rng: np.random.Generator) -> pl.DataFrame:
    """Q9: the call and the details of a turn's first run, which another model refused."""
    again = sending.turns.filter(pl.col("firstModel").is_not_null())
    rows = again.with_columns(modelCallId=identifiers(rng, again.height))
    details = _details(pl.col("firstModel"), pl.lit("rateLimited"), pl.lit("{}"))
    spent = (pl.col("rerun") - pl.col("start")) // MILLISECOND
    return pl.concat(
        [
            events_of(rows, ENGINE_MESSAGES, time=pl.col("rerun"), properties=_call("input", "firstModel")),
            events_of(
                rows,
                TOOL_CALL_DETAILS,
                time=pl.col("rerun") + 2 * MILLISECOND,
                properties=details,
                measurements=_metrics(pl.lit(0), spent),
            ),
        ]
    )


def tool_call_details(sending: Sending) -> pl.DataFrame:
    """Q6, Q12, Q20: how a turn ended, once per turn."""
    rows = sending.turns.filter("sendsDetails")
    return events_of(
        rows,
        TOOL_CALL_DETAILS,
        time=pl.col("end") + DETAILS_DELAY,
        properties=_details(pl.col("model"), pl.col("responseType"), pl.col("toolCounts")),
        measurements=_metrics(pl.col("numRequests"), pl.col("duration") // MILLISECOND),
    )


def supplementary_calls(sending: Sending, rng: np.random.Generator) -> pl.DataFrame:
    """Q15: calls for a title (without conversationId) and for the intent (with it), beside the first turn."""
    rows = sending.turns.filter(pl.col("supplementary") & (pl.col("turnIndex") == 1) & ~pl.col("isSubagent"))
    tokens = pl.lit('{"promptTokens":410,"completionTokens":9}')
    return pl.concat([_side_call(rows, rng, source, tokens) for source in SIDE_SOURCES])


def request_counters(sending: Sending) -> pl.DataFrame:
    """Q22: how many requests the editor's process has seen of a conversation; a reloaded window begins at 1 again."""
    rows = sending.turns.filter(pl.col("sendsSession") | (pl.col("reloadAt") > 0))
    properties = pl.concat_str(
        "address", pl.format(',"headerRequestId":"{}","conversationTurn":"{}"}}', "messageId", "requestTurn")
    )
    return events_of(rows, MODEL_REQUEST, time=pl.col("start"), properties=properties)


CALL_COLUMNS = ["address", "model", "messageSource", "isMarked", "isOwnKey", "UserId", "SessionId"]


def _call(direction: str, model: str) -> pl.Expr:
    marked = pl.when("isMarked").then(pl.lit(',"subType":"subagent"')).otherwise(pl.lit(""))
    told = pl.format(
        ',"modelCallId":"{}","baseModel":"{}","message_direction":"' + direction + '","messageSource":"{}"',
        "modelCallId",
        model,
        "messageSource",
    )
    return pl.concat_str("address", told, marked, pl.lit("}"))


def _side_call(rows: pl.DataFrame, rng: np.random.Generator, source: str, tokens: pl.Expr) -> pl.DataFrame:
    known = pl.format('{{"messageId":"{}"', "messageId") if source == "title" else pl.col("address")
    properties = pl.format(
        '{},"modelCallId":"{}","baseModel":"' + SIDE_MODEL + '","message_direction":"output","messageSource":"{}"}}',
        known,
        identifiers(rng, rows.height),
        pl.lit(source),
    )
    return events_of(rows, ENGINE_MESSAGES, time=pl.col("start"), properties=properties, measurements=tokens)


def _details(model: pl.Expr, response_type: pl.Expr, counts: pl.Expr) -> pl.Expr:
    return pl.format(
        '{},"intentId":"editAgent","responseType":"{}","toolCounts":"{}","model":"{}"}}',
        "address",
        response_type,
        counts,
        model,
    )


def _metrics(requests: pl.Expr, duration: pl.Expr) -> pl.Expr:
    return pl.format('{{"numRequests":{},"turnIndex":{},"turnDuration":{}}}', requests, "turnIndex", duration)
