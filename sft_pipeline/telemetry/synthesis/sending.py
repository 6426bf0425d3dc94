"""What is about to be sent: attempts and their calls as row-addressable frames, and the parts of events that repeat.

Belongs here: choosing attempts with their rounds, JSON fragments that many events of an attempt share.
Does not belong here: single events (messages, calls), stores (delivery).
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from sft_pipeline.telemetry.synthesis.population import Kind
from sft_pipeline.telemetry.synthesis.randomness import Booleans
from sft_pipeline.telemetry.synthesis.turns import WITH_TOOLS

RERUN_LEAD = 0.25
"""How long the first, rate limited run of a turn took, in parts of a round; rounds end at least 0.5 apart."""
SUGGESTIONS = {"agent": "editAgent", "custom": "editAgent", "plan": "editAgent", "edit": "edit", "ask": "unknown"}


class Sending(NamedTuple):
    """Attempts, and rows that point to them by `turn`.

    Args:
        turns: one row per attempt.
        rounds: one row per round that took place.
        calls: one row per LLM call: those of the rounds and the retried ones.
    """

    turns: pl.DataFrame
    rounds: pl.DataFrame
    calls: pl.DataFrame

    def only(self, chosen: Booleans) -> "Sending":
        """Some of the attempts with what belongs to them."""
        place = np.cumsum(chosen) - 1

        def following(rows: pl.DataFrame) -> pl.DataFrame:
            turn = rows["turn"].to_numpy()
            kept = rows.with_columns(turn=pl.Series(place[turn]))
            return kept.filter(pl.Series(chosen[turn]))

        return Sending(self.turns.filter(pl.Series(chosen)), following(self.rounds), following(self.calls))


def addressed(turns: pl.DataFrame, conversations: pl.DataFrame) -> pl.DataFrame:
    """Add to each attempt what its events share: ids, the tail of messages, who sent it, rerun and end times."""
    names = ["conversationId", "idIsEmpty", "SessionId", "laterSessionId", "UserId", "secondStore"]
    names += ["sendsSession", "supplementary"]
    joined = pl.concat([turns, conversations.select(names)[turns["conversation"]]], how="horizontal")
    reloaded = (pl.col("reloadAt") > 0) & (pl.col("turnIndex") >= pl.col("reloadAt"))
    mode_part = pl.when(pl.col("mode").is_not_null()).then(pl.format(',"mode":"{}"', "mode")).otherwise(pl.lit(""))
    with_tools = pl.col("mode").fill_null("agent").is_in(WITH_TOOLS)
    return joined.with_columns(
        address=_address("messageId"),
        finalAddress=_address("finalId"),
        modePart=mode_part,
        tail=pl.concat_str(
            mode_part,
            pl.lit(',"uiKind":"conversationPanel","suggestion":"'),
            pl.col("mode").fill_null("agent").replace_strict(SUGGESTIONS, return_dtype=pl.String()),
            pl.lit('"'),
        ),
        messageSource=pl.when(with_tools).then(pl.lit("chat.editAgent")).otherwise(pl.lit("chat.panel")),
        SessionId=pl.when(reloaded).then("laterSessionId").otherwise("SessionId"),
        requestTurn=pl.col("turnIndex") - pl.when(reloaded).then(pl.col("reloadAt") - 1).otherwise(0),
        end=pl.col("start") + pl.col("duration"),
        rerun=pl.col("start") + (pl.col("duration") / pl.col("rounds") * RERUN_LEAD).cast(pl.Int64),
    )


def _address(message: str) -> pl.Expr:
    """How an attempt's properties begin; some conversations have an empty id or none."""
    blank = pl.col("kind") == Kind.ID_BLANK
    return (
        pl.when(blank & pl.col("idIsEmpty"))
        .then(pl.format('{{"conversationId":"","messageId":"{}"', message))
        .when(blank)
        .then(pl.format('{{"messageId":"{}"', message))
        .otherwise(pl.format('{{"conversationId":"{}","messageId":"{}"', "conversationId", message))
    )


def events_of(
    rows: pl.DataFrame, name: str, *, time: pl.Expr, properties: pl.Expr, measurements: pl.Expr | None = None
) -> pl.DataFrame:
    """Events of one name, one per row, `time` in microseconds since 1970; the rows hold UserId and SessionId."""
    told = pl.lit("{}") if measurements is None else measurements
    return rows.select(
        TimeGenerated=time,
        Name=pl.lit(name),
        Properties=properties,
        Measurements=told,
        UserId="UserId",
        SessionId="SessionId",
    )


def beside_turn(rows: pl.DataFrame, turns: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Rounds or calls with columns of their attempt."""
    return pl.concat([rows, turns.select(names)[rows["turn"]]], how="horizontal")
