"""Hand-written requests and verdicts, right in every field, to be changed in one. Nothing here is a fixture.

Belongs here: rows, the frames they make, and plans with other knobs for the routers.
Does not belong here: conversations (conversations_world).
"""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

import dataframely as dy
import polars as pl
from hypothesis import strategies as st

from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import content_key, routers_of
from sft_pipeline.curation.router_tables import SIGNALS, Request, TrainingRow, Verdict
from sft_pipeline.curation.routers import RouterName, Routers, Strategy
from sft_pipeline.curation.tables import schema_of
from sft_pipeline.curation.variants import Variant, parse_ratio
from sft_pipeline.plans import read_plan

Row = dict[str, Any]
"""One row by column name."""

PLAN = read_plan("test")
"""Totals of 80, 10 and 10 at 70r30n and 50r50n; too few of a class lower the total."""

ROUTERS: Routers = routers_of(PLAN)
TURNS = {"short": 4, "medium": 8, "long": 15}


def with_routers(**knobs: Any) -> Plan:
    """The plan with other knobs of [routers]."""
    return PLAN.model_copy(update={"routers": ROUTERS.model_copy(update=knobs)})


def with_trust(**knobs: Any) -> Plan:
    """The plan with other knobs of [routers.trust]."""
    return with_routers(trust=ROUTERS.trust.model_copy(update=knobs))


def with_strategies(router: RouterName, strategies: Iterable[Strategy]) -> Plan:
    """The plan with other strategies of a router."""
    return with_routers(**{router: ROUTERS.router(router).model_copy(update={"strategies": tuple(strategies)})})


def variant(total: int, ratio: str = "70r30n", *, split: str = "train") -> Variant:
    """A variant of any total."""
    return Variant(split, parse_ratio(ratio), total, 3)


def request(name: str, **fields: Any) -> Row:
    """A request that can be judged, with a text of its own."""
    text = fields.get("request", f"request of {name}")
    return {
        "requestId": f"{name}#1",
        "conversationId": name,
        "turnIndex": 1,
        "turnCount": TURNS[fields.get("bucket", "short")],
        "split": "train",
        "bucket": "short",
        "priority": priority_of(content_key(text), salt="router"),
        "turnPosition": "early",
        "request": text,
        "history": "",
        "contentKey": content_key(text),
        **dict.fromkeys(SIGNALS, 1),
        "complexity": "low",
        "model": "gpt-5",
        "modelClass": "reasoning",
        "suspect": False,
        "leftOut": None,
        **fields,
    }


def verdict(of: Mapping[str, Any], label: int | None, **fields: Any) -> Row:
    """What was judged of a request."""
    return {
        "requestId": of["requestId"],
        "priority": of["priority"],
        "label": label,
        "probability": None if label is None else 0.25 + label / 2,
        "reason": "malformed_answer" if label is None else None,
        "judge": "openai/gpt-4.1-mini",
        "prompt": "session_router_1@0123456789ab",
        "servedModel": "gpt-4.1-mini-2025-04-14",
        "retestLabel": None,
        "secondLabel": None,
        "humanLabel": None,
        **fields,
    }


def training_row(name: str, label: int, **fields: Any) -> Row:
    """A row of a training set."""
    of = request(name, **fields)
    judged = verdict(of, label)
    own = {"content": of["request"], "stratum": "", "weight": 1.0, **judged, **of, **fields}
    return {column: own[column] for column in TrainingRow.columns()}


def requests(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """`Request` rows in priority order."""
    return _frame(Request, rows).sort("priority", "requestId")


def verdicts(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """`Verdict` rows in priority order."""
    return _frame(Verdict, rows).sort("priority", "requestId")


def training(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """`TrainingRow` rows in the order given."""
    return _frame(TrainingRow, rows)


def _frame(table: type[dy.Schema], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema_of(table))


def judged_at_random(size: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Requests of all strata and their verdicts, a fifth without a label; priorities collide now and then."""
    chance = Random(seed)
    rows = [_any_request(name, chance) for name in chance.sample(range(999), size)]
    return rows, [verdict(row, chance.choice((0, 0, 1, 1, None))) for row in rows]


def judged(*, at_most: int = 80) -> st.SearchStrategy[tuple[list[Row], list[Row]]]:
    """Tables of any size. Drawn value by value, nearly all would be too small or of too few classes to be balanced."""
    return st.builds(judged_at_random, st.integers(0, at_most), st.integers(0, 2**32))


def _any_request(name: int, chance: Random) -> Row:
    bucket = chance.choice(list(TURNS))
    return request(
        f"c-{name}",
        bucket=bucket,
        turnCount=TURNS[bucket] + chance.randint(0, 1),
        priority=chance.randint(0, 40),
        turnPosition=chance.choice(("early", "mid", "late")),
        complexity=chance.choice(("high", "low", "unclear")),
        modelClass=chance.choice(("reasoning", "fast", "unknown")),
    )
