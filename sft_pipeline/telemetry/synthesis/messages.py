"""The events that carry text: what people and models say.

Belongs here: conversation.messageText and the interactiveSession events.
Does not belong here: calls and metrics (calls), which store cuts what (delivery).
"""

import numpy as np
import polars as pl

from sft_pipeline.telemetry.events import MESSAGE_TEXT, SESSION_MESSAGE, SESSION_RESPONSE
from sft_pipeline.telemetry.synthesis.population import Kind
from sft_pipeline.telemetry.synthesis.sending import Sending, beside_turn, events_of
from sft_pipeline.telemetry.synthesis.texts import Pools
from sft_pipeline.telemetry.synthesis.timeline import MILLISECOND

USER_DELAY, MODEL_DELAY, FINAL_DELAY = MILLISECOND, 2 * MILLISECOND, 6 * MILLISECOND
SENDER = ["UserId", "SessionId"]


def user_messages(sending: Sending, *, whole: bool) -> pl.DataFrame:
    """Q1, Q21: the user message, sent again after every round; turnIndex counts from 0, languageId is often absent."""
    turns = sending.turns.with_columns(
        properties=_user_properties("userWhole" if whole else "userCut"), measurements=_length("userUnits")
    )
    rows = beside_turn(sending.rounds, turns, ["properties", "measurements", *SENDER])
    again = turns.filter(pl.col("firstModel").is_not_null())
    told = {"properties": pl.col("properties"), "measurements": pl.col("measurements")}
    return pl.concat(
        [
            events_of(rows, MESSAGE_TEXT, time=pl.col("time") + USER_DELAY, **told),
            events_of(again, MESSAGE_TEXT, time=pl.col("rerun") + USER_DELAY, **told),
        ]
    )


def model_messages(sending: Sending, pools: Pools) -> pl.DataFrame:
    """Q1, Q5, Q24: what the model said in a round, often nothing; its messageCharLen is the user message's.

    uiKind and suggestion are left out here, for volume.
    """
    turns = sending.turns.with_columns(
        head=pl.format('{},"source":"model","turnIndex":"{}"', "address", "turnIndex"),
        measurements=_length("userUnits"),
        repeatable=pl.when(~pl.col("finalIsLong")).then("finalCut"),
    )
    rows = beside_turn(sending.rounds, turns, ["head", "modePart", "measurements", "repeatable", *SENDER])
    rows = rows.filter("hasMessage").with_columns(said=narrated(pools))
    text = pl.when("repeatsFinal").then(pl.coalesce("repeatable", "said")).otherwise("said")
    properties = pl.concat_str("head", _text(text), "modePart", pl.lit("}"))
    return events_of(
        rows,
        MESSAGE_TEXT,
        time=pl.col("time") + MODEL_DELAY,
        properties=properties,
        measurements=pl.col("measurements"),
    )


def final_messages(sending: Sending, *, whole: bool) -> pl.DataFrame:
    """Q2: the final answer of a successful turn comes once more, last, under a messageId that nothing else has."""
    turns = sending.turns.filter("isAnswered")
    text = _text(pl.col("finalWhole" if whole else "finalCut"))
    head = pl.format('{},"source":"model","turnIndex":"{}"', "finalAddress", "turnIndex")
    properties = pl.concat_str(head, text, "tail", pl.lit("}"))
    return events_of(turns, MESSAGE_TEXT, time=pl.col("end") + FINAL_DELAY, properties=properties)


def session_messages(sending: Sending) -> pl.DataFrame:
    """The user message once per round, as the older session events tell it."""
    rows = _session_rows(sending)
    properties = pl.concat_str(_session_head(), pl.lit(',"query":"'), "userCut", pl.lit('"}'))
    return events_of(rows, SESSION_MESSAGE, time=pl.col("time"), properties=properties, measurements=_turn_number())


def session_responses(sending: Sending, pools: Pools) -> pl.DataFrame:
    """Request and response of every round; the last round's response is the final answer."""
    rows = _session_rows(sending).filter("hasMessage").with_columns(said=narrated(pools))
    final = pl.when(pl.col("isLast") & pl.col("isAnswered") & ~pl.col("finalIsLong")).then("finalCut")
    properties = pl.concat_str(
        _session_head(),
        pl.lit(',"request":"'),
        "userCut",
        pl.lit('","response":"'),
        pl.coalesce(final, "said", pl.lit("")),
        pl.lit('"}'),
    )
    return events_of(
        rows, SESSION_RESPONSE, time=pl.col("time") + MODEL_DELAY, properties=properties, measurements=_turn_number()
    )


def narrated(pools: Pools) -> pl.Expr:
    """The narration that a round's draw stands for; null where the model called tools without a word."""

    def texts(draws: pl.Series) -> pl.Series:
        numbers = np.floor(np.maximum(draws.to_numpy(), 0.0) * len(pools.narrations.units)).astype(np.int64)
        return pools.narrations.escaped.gather(numbers)

    return pl.when(pl.col("narration") >= 0).then(pl.col("narration").map_batches(texts, pl.String()))


def _user_properties(text: str) -> pl.Expr:
    language = pl.when(pl.col("language") != "").then(pl.format(',"languageId":"{}"', "language"))
    return pl.concat_str(
        pl.format('{},"source":"user","turnIndex":"{}"', "address", pl.col("turnIndex") - 1),
        _text(pl.col(text)),
        "tail",
        language.otherwise(pl.lit("")),
        pl.format(',"common.userName":"{}"}}', "userName"),
    )


def _text(text: pl.Expr) -> pl.Expr:
    """Q5: the messageText property, left out where there is no text."""
    return (
        pl.when(text.is_not_null())
        .then(pl.concat_str(pl.lit(',"messageText":"'), text, pl.lit('"')))
        .otherwise(pl.lit(""))
    )


def _length(units: str) -> pl.Expr:
    return pl.format('{{"messageCharLen":{}}}', units)


def _session_rows(sending: Sending) -> pl.DataFrame:
    """Rounds of the conversations that send session events; texts over a store's limit are left out of them."""
    turns = sending.turns
    chosen = turns["sendsSession"] & ~turns["userIsLong"] & (turns["kind"] != str(Kind.ID_BLANK))
    few = sending.only(chosen.to_numpy())
    names = [
        "kind",
        "conversationId",
        "messageId",
        "model",
        "userCut",
        "finalCut",
        "finalIsLong",
        "isAnswered",
        "turnIndex",
    ]
    return beside_turn(few.rounds, few.turns, [*names, *SENDER])


def _session_head() -> pl.Expr:
    return pl.format(
        '{{"chatLocation":"panel","sessionId":"{}","requestId":"{}","baseModel":"{}","intent":"editAgent"',
        "conversationId",
        "messageId",
        "model",
    )


def _turn_number() -> pl.Expr:
    return pl.format('{{"turnNumber":{}}}', "turnIndex")
