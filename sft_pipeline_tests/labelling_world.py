"""Balanced training sets of both routers, right in every field, and whole SFT releases made of them.

Belongs here: sets, accounts and labellings, with ids searched so that their hashes fall right.
Does not belong here: what is wrong with them (the tests break them).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import count, islice
from typing import Any

import polars as pl

from sft_pipeline.clients.release_store import ReleaseStore
from sft_pipeline.clients.sft_artifacts import upload_sft
from sft_pipeline.curation.balancing import in_line_order
from sft_pipeline.curation.label_account import LabelAccount, Pairs, Who
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.records import table_version
from sft_pipeline.curation.release import Source
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.curation.sft_release import Labelling
from sft_pipeline.curation.sft_sections import slots
from sft_pipeline_tests.conversations_world import PLAN, split_of
from sft_pipeline_tests.curation.labels_world import training, training_row

MOMENT = datetime(2025, 8, 16, 12, 0, tzinfo=UTC)
DAY = date(2025, 8, 16)
NAME = "vscodedata_sft_datav3_1d_20250816_120000"
"""What the release of `SMALL` is called at `MOMENT`."""

JUDGE = "openai/gpt-4.1-mini"
WHO = Who(
    judge=JUDGE,
    prompt="session_router_1@0123456789ab",
    prompt_sha256="0123456789ab" + "c" * 52,
    parameters='{"temperature":0}',
    is_language_model=True,
)
SECOND = WHO.model_copy(update={"prompt": "session_router_1b@" + "d" * 12, "prompt_sha256": "d" * 64})

Sets = dict[str, pl.DataFrame]
"""Training sets by slot, e.g. `session_router/train-70r30n`."""


def with_training(plan: Plan, **knobs: Any) -> Plan:
    """The plan with other knobs of [routers.training]."""
    routers = routers_of(plan)
    training = routers.training.model_copy(update=knobs)
    return plan.model_copy(update={"routers": routers.model_copy(update={"training": training})})


SMALL = with_training(PLAN, totals={"train": 20, "val": 10, "test": 10})
"""Two routers, three splits, 70r30n and 50r50n; user names as they are."""


def sets_of(plan: Plan = SMALL) -> Sets:
    """A full training set of every slot, in the order of its files."""
    held: Sets = {}
    for slot in slots(routers_of(plan)):
        pool = labelled(plan, slot.router, slot.variant.split)
        wanted = (slot.variant.total * percent // 100 for percent in slot.variant.ratio)
        chosen = [pool.filter(label=label).head(number) for label, number in enumerate(wanted)]
        held[slot.key] = in_line_order(pl.concat(chosen), routers_of(plan).salt)
    return held


def labelled(plan: Plan, router: RouterName, split: str) -> pl.DataFrame:
    """The labelled requests of a split by priority: of each class as many as any ratio needs, and a few more."""
    key = (plan.version(), routers_of(plan).version(), router, split)
    if key not in _LABELLED:
        wanted = max(routers_of(plan).quotas(split).values()) + 5
        rows = [
            row_of(plan, router, split, name, number, label)
            for label in (0, 1)
            for number, name in enumerate(islice(_names(plan, f"{router}-{split}-{label}", split), wanted))
        ]
        _LABELLED[key] = training(rows).sort("priority", "requestId")
    return _LABELLED[key]


_LABELLED: dict[tuple[str, ...], pl.DataFrame] = {}
"""Ids are searched for once."""


def row_of(plan: Plan, router: RouterName, split: str, name: str, number: int, label: int) -> dict[str, Any]:
    """A row of a training set, right in every field; `number` decides on bucket and turn."""
    bucket = plan.buckets[number % len(plan.buckets)]
    turns = bucket.turns[1]
    index = 1 if router == "session_router" else 1 + number % turns
    position = ("early", "mid", "late")[3 * (index - 1) // turns]
    request_id = f"{name}#{index}"
    return training_row(
        name,
        label,
        requestId=request_id,
        turnIndex=index,
        turnCount=turns,
        bucket=bucket.name,
        split=split,
        turnPosition=position,
        stratum=position if router == "conversation_router" else "",
        weight=3.0,
        judge=JUDGE,
    )


def _names(plan: Plan, prefix: str, split: str) -> Iterator[str]:
    """Conversations whose hash falls into the split; each prefix has ids of its own."""
    return (name for number in count() if split_of(name := f"{prefix}-{number}", plan) == split)


def account_of(plan: Plan, router: RouterName, split: str, **changes: Any) -> LabelAccount:
    """The account of a split's labels: they add up, and are as good as the plan wants."""
    pool = labelled(plan, router, split)
    label0, label1 = (pool.filter(label=label).height for label in (0, 1))
    fields: dict[str, Any] = {
        "router": router,
        "split": split,
        "who": WHO,
        "second": SECOND,
        "requests": label0 + label1 + 9,
        "left_out": {"continuation": 1, "same_text": 2},
        "label0": label0,
        "label1": label1,
        "unlabelled": {"malformed_answer": 1},
        "not_asked": 5,
        "judges": {JUDGE: label0 + label1 + 1},
        "served_models": {"gpt-4.1-mini-2025-04-14": label0 + label1},
        "retest": Pairs(both0=20, first0_second1=1, first1_second0=1, both1=18),
        "second_opinion": Pairs(both0=20, first0_second1=4, first1_second0=4, both1=12),
        "canaries": 20,
        "canaries_missed": ("rename_a_variable",),
        "prompt_tokens": 12_000,
        "completion_tokens": 40,
        "cost": 0.1,
    }
    return LabelAccount(**{**fields, **changes})


def accounts_of(plan: Plan = SMALL, **changes: Any) -> tuple[LabelAccount, ...]:
    """The accounts of every router and split; `changes` are made to the first alone."""
    of: list[tuple[RouterName, str]] = [(router, split) for router in ROUTERS for split in routers_of(plan).splits]
    given = [account_of(plan, router, split) for router, split in of[1:]]
    return (account_of(plan, *of[0], **changes), *given)


def labelling_of(
    store: ReleaseStore, plan: Plan = SMALL, sets: Mapping[str, pl.DataFrame] | None = None, **changes: Any
) -> Labelling:
    """A labelling whose files lie in the store."""
    held = sets_of(plan) if sets is None else sets
    uploaded = [
        upload_sft(store, slot.router, slot.variant, held[slot.key], table_version(held[slot.key]))
        for slot in slots(routers_of(plan))
    ]
    fields: dict[str, Any] = {
        "plan": plan,
        "source": Source("https://cluster.invalid", "telemetry", "candidates.kql", "ab" * 32),
        "window": plan.bounds(DAY),
        "artifacts": pl.concat(uploaded),
        "accounts": accounts_of(plan),
        "versions": {"sft_pipeline": "0.1.0", "polars": pl.__version__},
        "run_id": "run-1",
    }
    return Labelling(**{**fields, **changes})
