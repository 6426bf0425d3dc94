"""What is labelled: requests with histories as the conversation router has them, and the words around them.

Belongs here: making both files, once. Does not belong here: any side; a peer reads the files alone.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.router_tables import Request
from sft_pipeline.curation.routers import Routers
from sft_pipeline.curation.tables import schema_of
from sft_pipeline.plans import read_plan
from sft_pipeline.prompts import read_prompt

PROMPT = "conversation_router_1"
MODEL = "judge-1"


class Inputs(NamedTuple):
    """Files.

    Args:
        requests: Parquet of `Request` rows.
        asking: JSON with the system's words, the user's with places for {history} and {request}, model and parameters.
    """

    requests: Path
    asking: Path


def inputs(work: Path, count: int) -> Inputs:
    """So many requests."""
    folder = work / "labels"
    folder.mkdir(parents=True, exist_ok=True)
    made = Inputs(folder / f"{count}.parquet", folder / "asking.json")
    if not made.requests.exists():
        unfinished = made.requests.with_suffix(".new")
        made_requests(count).write_parquet(unfinished)
        unfinished.rename(made.requests)
    parts = read_prompt(PROMPT).parts
    words = {"system": parts["System"], "user": parts["User"].replace("{nonce}", "0123456789abcdef")}
    parameters = production_routers().judging.parameters
    made.asking.write_text(json.dumps({**words, "model": MODEL, "parameters": parameters}))
    return made


def production_routers() -> Routers:
    """The knobs of plan `production`."""
    routers = read_plan("production").routers
    if routers is None:
        raise SystemExit("plan production has no routers")
    return routers


def made_requests(count: int) -> pl.DataFrame:
    """About 150 characters each, and 1,000 of history; a third needs a model that reasons."""
    texts = [sha256(str(number).encode()).hexdigest() for number in range(count)]
    base = pl.DataFrame({"text": texts, "number": range(count)}, schema={"text": pl.String, "number": pl.Int64})
    kind = pl.when(pl.col("number") % 3 == 0).then(pl.lit("design a protocol")).otherwise(pl.lit("rename a variable"))
    position = pl.Series(["early", "mid", "late"])
    columns = {
        "requestId": pl.concat_str("text", pl.lit("#1")),
        "conversationId": pl.col("text"),
        "turnIndex": pl.lit(1, pl.Int64),
        "turnCount": pl.lit(5, pl.Int64),
        "split": pl.lit("train"),
        "bucket": pl.lit("short"),
        "priority": pl.col("number"),
        "turnPosition": pl.lit(position).gather(pl.col("number") % 3),
        "request": pl.concat_str(kind, pl.lit(" "), pl.concat_str(*["text"] * 2)),
        "history": pl.concat_str(*["text"] * 16),
        "contentKey": pl.col("text"),
        **{name: pl.lit(1, pl.Int64) for name in ("numRequests", "turnDurationMs", "toolDiversity", "toolCalls")},
        "promptTokenDelta": pl.lit(1, pl.Int64),
        "complexity": pl.lit("low"),
        "model": pl.lit("gpt-5"),
        "modelClass": pl.lit("reasoning"),
        "suspect": pl.lit(value=False),
        "leftOut": pl.lit(None, pl.String),
    }
    return base.select(**columns).select(schema_of(Request).names())
