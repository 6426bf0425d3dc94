"""Conversations in which a user says this or that, and the requests made of them. Nothing here is a fixture.

Belongs here: drawing and writing them, plans with limits that they meet.
Does not belong here: hand-written requests and verdicts (labels_world).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from hypothesis import strategies as st

from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import requests_of
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline_tests.conversations_world import Row, conversation, conversations, turn
from sft_pipeline_tests.curation.labels_world import PLAN, with_routers
from sft_pipeline_tests.curation.labels_world import ROUTERS as KNOBS

LIMIT = 250
"""Tokens of a line: a request of this plan may have less than 500 bytes."""

STRICT = with_routers(training=KNOBS.training.model_copy(update={"max_line_tokens": LIMIT}))
HISTORY_IN_CONTENT = with_routers(
    conversation_router=KNOBS.conversation_router.model_copy(update={"content": "history_and_request"})
)

words = st.sampled_from(["fix it", "FIX  it", "fix\u00a0it", "explain", "", "\u200b", "x" * 500]) | st.text(
    st.characters(codec="utf-8"), max_size=8
)
turns: st.SearchStrategy[Row] = st.fixed_dictionaries(
    {
        "userMessage": st.none() | words,
        "isContinuation": st.sampled_from([False, False, False, True]),
        "numRequests": st.none() | st.integers(0, 20),
    }
)
talks = st.lists(st.lists(turns, min_size=1, max_size=7), max_size=5)
routers = st.sampled_from(ROUTERS)


def talk(name: str, fields: Sequence[Mapping[str, Any]]) -> Row:
    """A conversation of these turns."""
    of = [turn(index, **changes) for index, changes in enumerate(fields, start=1)]
    return conversation(name, turns=len(of), turnsArray=of, bucket="short")


def said(name: str, *texts: str | None) -> Row:
    """A conversation in which a user says this."""
    return talk(name, [{"userMessage": text} for text in texts])


def named(drawn: Sequence[Sequence[Mapping[str, Any]]]) -> list[Row]:
    """A conversation of each, `c-0` and so on."""
    return [talk(f"c-{number}", fields) for number, fields in enumerate(drawn)]


def asked(
    *rows: Row,
    router: RouterName = "conversation_router",
    plan: Plan = PLAN,
    split: str = "train",
    taken: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """The requests of these conversations."""
    return requests_of(conversations(*rows), plan, router, split, taken or {})


def reasons(table: pl.DataFrame) -> dict[str, str | None]:
    """Why each request is left out, by id."""
    return dict(table.select("requestId", "leftOut").iter_rows())


def only(table: pl.DataFrame, request_id: str) -> dict[str, Any]:
    """The row of a request."""
    return table.row(by_predicate=pl.col("requestId") == request_id, named=True)
