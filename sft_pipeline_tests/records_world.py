"""Valid conversations of any cell of any plan, and whole curations made of them.

Belongs here: frames as a sample holds them, with ids searched so that their hashes fall right.
Does not belong here: what is wrong with them (the tests break them).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import count, islice
from typing import Any

import polars as pl

from sft_pipeline.clients.publishing import upload_artifact
from sft_pipeline.clients.release_store import ReleaseStore
from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.records import table_version, with_digests
from sft_pipeline.curation.release import Curation, Source
from sft_pipeline.curation.sampling import cell_counts
from sft_pipeline.curation.secrets import redaction_counts
from sft_pipeline.curation.sections import validation_counts
from sft_pipeline.curation.tables import REPAIRS, RejectedConversation, schema_of
from sft_pipeline.curation.turns import assign
from sft_pipeline_tests.conversations_world import PLAN, conversation, conversations

MOMENT = datetime(2025, 8, 16, 12, 0, tzinfo=UTC)
DAY = date(2025, 8, 16)
NAME = "vscodedata_0.015k_complete_stratified_deduped_1d_20250816_120000"
"""What the release of `SMALL` is called at `MOMENT`: its cells want 15 records."""

ODD_TEXT = 'two\nlines, "quotes", \\ back\u2028slash\u2029, \u0000 and \u0085, caf\u00e9 \U0001f600'


def with_targets(plan: Plan, targets: Mapping[str, Mapping[str, int]], **sample: Any) -> Plan:
    """The plan with other targets."""
    document = plan.model_dump(mode="json")
    return Plan.model_validate({**document, "sample": {**document["sample"], "targets": targets, **sample}})


SMALL = with_targets(
    PLAN,
    {
        "train": {"short": 4, "medium": 2, "long": 2},
        "val": {"short": 2, "medium": 1, "long": 1},
        "test": {"short": 1, "medium": 1, "long": 1},
    },
)


def conversations_of(plan: Plan, cell: Cell, number: int) -> pl.DataFrame:
    """So many conversations of a cell, in the order of a sample."""
    rows = [
        conversation(
            conversation_id,
            turns=cell.bucket.turns[position % 2],
            userName=user,
            split=cell.split,
            bucket=cell.bucket.name,
        )
        for position, (conversation_id, user) in enumerate(islice(_people(plan, cell), number))
    ]
    return with_digests(assign(conversations(*rows), plan).sort("priority", "conversationId")).rechunk()


def samples_of(plan: Plan) -> dict[str, pl.DataFrame]:
    """A full sample of each cell."""
    return {cell.key: conversations_of(plan, cell, cell.target) for cell in plan.cells}


def with_turns(frame: pl.DataFrame, row: int, **fields: Any) -> pl.DataFrame:
    """The frame with fields of every turn of one row replaced."""
    rows = frame.to_dicts()
    rows[row]["turnsArray"] = [{**turn, **fields} for turn in rows[row]["turnsArray"]]
    return with_digests(pl.DataFrame(rows, schema=frame.schema).drop("digest")).select(frame.columns)


def rejected_rows(*rows: tuple[str, str, str, int, str, list[str]]) -> pl.DataFrame:
    """`RejectedConversation` rows by position."""
    return pl.DataFrame(rows, schema=schema_of(RejectedConversation), orient="row")


REJECTED = rejected_rows(
    ("b", "train", "short", 6, "invalid", ["Bucket mismatch: short bucket has 6 turns"]),
    (
        "a",
        "train",
        "short",
        6,
        "invalid",
        ["Bucket mismatch: short bucket has 6 turns", "Empty userMessage in 1 turns"],
    ),
    ("c", "val", "long", 11, "invalid", ["First turn has index 2"]),
    ("", "train", "", 0, "no_conversation_id", ["Messages without a conversationId"]),
    ("d", "test", "", 2, "too_few_turns", ["Fewer turns than the plan takes"]),
)


def curation_of(
    store: ReleaseStore, plan: Plan = SMALL, samples: Mapping[str, pl.DataFrame] | None = None, **changes: Any
) -> Curation:
    """A curation whose files lie in the store."""
    given = samples_of(plan) if samples is None else samples
    held = {cell.key: given[cell.key] for cell in plan.cells}
    light = pl.concat([sample.select("split", "bucket") for sample in held.values()])
    fields: dict[str, Any] = {
        "plan": plan,
        "source": Source("https://cluster.invalid", "telemetry", "candidates.kql", "ab" * 32),
        "window": plan.bounds(DAY),
        "artifacts": pl.concat(
            [upload_artifact(store, cell, held[cell.key], table_version(held[cell.key])) for cell in plan.cells]
        ),
        "counts": cell_counts(light, plan),
        "rejected": REJECTED,
        "validation": pl.concat([validation_counts(sample, plan) for sample in held.values()]),
        "redacted": dict(sum((Counter(redaction_counts(sample)) for sample in held.values()), Counter[str]())),
        "repairs": dict.fromkeys(REPAIRS, 7),
        "versions": {"sft_pipeline": "0.1.0", "polars": pl.__version__},
        "run_id": "run-1",
    }
    return Curation(**{**fields, **changes})


def _people(plan: Plan, cell: Cell) -> Iterator[tuple[str, str]]:
    """Ids and users whose hashes fall into the cell's split; each cell has ids of its own."""
    for number in count():
        conversation_id, user = f"{cell.key}-{number}", f"user-{number}"
        row = conversations(conversation(conversation_id, userName=user))
        if assign(row, plan)["split"].item() == cell.split:
            yield conversation_id, user
