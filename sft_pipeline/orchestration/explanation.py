"""Where a conversation went and why, from what is stored.

Belongs here: following one id through the tables of a window. Does not belong here: printing.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.hashing import chunk_of, priority_of
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.standing import Standing


def explain(conversation_id: str, plan: Plan, tables: TableStore, window: str) -> Iterator[Standing]:
    """The stations of a conversation in a window, up to where it left or to the file that holds it.

    Raises:
        Refused: the tables of the window are not there.
    """
    chunk = plan.chunk_keys[chunk_of(conversation_id, plan.chunks.count)]
    yield Standing("app_events", f"belongs to chunk {chunk} by the hash of its id")
    candidate = _row(tables, TableKey("conversation_chunks", window, chunk), conversation_id)
    if candidate is None:
        rejected = _row(tables, TableKey("rejected_conversations", window, chunk), conversation_id)
        yield Standing("rejected_conversations", _rejection(rejected))
        return
    yield Standing(
        "conversation_chunks",
        f"complete and valid: {candidate['turnCount']} turns, bucket {candidate['bucket']}, split {candidate['split']}",
    )
    yield from _sampling(conversation_id, plan, tables, window)


def _sampling(conversation_id: str, plan: Plan, tables: TableStore, window: str) -> Iterator[Standing]:
    row = _row(tables, TableKey("conversations", window), conversation_id)
    if row is None:
        yield Standing("conversations", "not among the candidates: they are older than the chunks; run again")
        return
    priority, place = priority_of(conversation_id, salt=plan.sample.salt), int(row["rank"]) + 1
    key = f"{row['split']}-{row['bucket']}"
    yield Standing("conversations", f"rank {place:,} of cell {key} (priority {priority:015x})")
    cell = next((cell for cell in plan.cells if cell.key == key), None)
    if cell is None or place > cell.target:
        wanted = "none" if cell is None else f"the {cell.target:,} lowest priorities"
        yield Standing("samples", f"not taken: the plan takes {wanted} of {key}")
        return
    yield Standing("samples", f"taken: among the {cell.target:,} lowest priorities of {key}")
    if tables.holds(TableKey("sample_artifacts", window, key)):
        yield Standing("sample_artifacts", f"line {place:,} of {cell.path}")
    release = TableKey("sample_release", window)
    if tables.holds(release):
        yield Standing("sample_release", str(tables.read(release)["url"][0]))


def _row(tables: TableStore, key: TableKey, conversation_id: str) -> dict[str, Any] | None:
    found = tables.scan([key]).drop("turnsArray", strict=False).filter(pl.col("conversationId") == conversation_id)
    return next(found.collect().iter_rows(named=True), None)


def _rejection(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not seen: no agent-mode message of this id in the window (ids are compared as a whole)"
    return f"left out ({row['dropReason']}): {'; '.join(row['errors'])}"
