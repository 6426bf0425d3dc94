"""Why a conversation stands in a release or does not, as far as its id, the plan and the last ones taken tell.

Belongs here: sentences that follow from hashes and counts. Does not belong here: reading files (clients.lookup).
"""

from typing import NamedTuple

import polars as pl

from sft_pipeline.curation.hashing import chunk_of, priority_of
from sft_pipeline.curation.plan import Cell, Plan
from sft_pipeline.curation.turns import expected_splits


class Standing(NamedTuple):
    """Something about a conversation: where one looks, and what stands there of it."""

    where: str
    says: str


class Taken(NamedTuple):
    """What a cell's file holds: so many conversations, of which this one ranks last; empty where there is none."""

    cell: Cell
    records: int
    last: str


def chunk_told(conversation_id: str, plan: Plan) -> str:
    """The chunk it belongs to."""
    return f"{plan.chunk_keys[chunk_of(conversation_id, plan.chunks.count)]}, by the hash of its id"


def split_of(conversation_id: str, plan: Plan) -> str:
    """The split it belongs to; empty where users are split, whom an id does not tell."""
    if plan.split.by == "user":
        return ""
    return expected_splits(pl.DataFrame({"conversationId": [conversation_id]}), plan)[0]


def split_told(conversation_id: str, plan: Plan) -> str:
    """The split it belongs to, and by what."""
    split = split_of(conversation_id, plan)
    if not split:
        return "by the hash of its user, whom the id does not tell"
    return f"{split}, by the hash of its id" if plan.split.by == "conversation" else f"{split}: the plan does not split"


def why_not(conversation_id: str, plan: Plan, taken: Taken) -> str:
    """Why a cell's file does not hold it: ranked too low, or no candidate."""
    priority, cell = priority_of(conversation_id, salt=plan.sample.salt), taken.cell
    no_candidate = "it was no candidate of this cell: incomplete, of another number of turns, or not seen"
    if taken.records < cell.target:
        return f"every candidate was taken ({taken.records:,} of {cell.target:,} wanted): {no_candidate}"
    last = priority_of(taken.last, salt=plan.sample.salt)
    if (priority, conversation_id) > (last, taken.last):
        return (
            f"ranks too low, if it was a candidate: its priority {priority:015x} lies above {last:015x}, "
            f"the last of the {taken.records:,} taken"
        )
    return f"its priority {priority:015x} would have been taken (the last is {last:015x}): {no_candidate}"
