"""One chunk from query rows to curated conversations and rejected ones: the composition that an asset runs.

Belongs here: the order of the steps, and that nothing is lost between them.
Does not belong here: the steps themselves (turns, rules, records).
"""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from sft_pipeline.curation.hashing import chunks_of
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.privacy import pseudonyms
from sft_pipeline.curation.records import with_digests
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.secrets import redaction_counts, with_secrets_redacted
from sft_pipeline.curation.tables import QUERY_COLUMNS, REPAIRS, Conversation, RejectedConversation, schema_of
from sft_pipeline.curation.turns import Decoded, assign, decode
from sft_pipeline.curation.validating import IDS_SHOWN, judge

DROP_SENTENCES: dict[str, str] = {
    "no_conversation_id": "Messages without a conversationId",
    "mode_switched": "A user message was sent in another mode than agent",
    "head_missing": "The first turn lies before the window or was lost",
    "turn_missing": "A turn between the first and the last was lost",
    "turns_out_of_order": "A turn is older than the turn before it: an unmarked subagent or an abandoned branch",
    "too_few_turns": "Fewer turns than the plan takes",
    "too_many_turns": "More turns than the plan takes",
}
"""What the query's drop reasons mean (docs/05_DATA_QUIRKS.md)."""


@dataclass(frozen=True)
class CuratedChunk:
    """What one chunk's query came to.

    Args:
        conversations: `Conversation` rows sorted by split, bucket, priority, so that a sample reads few row groups.
        rejected: `RejectedConversation` rows, by reason and id.
        rows: how many conversations the query looked at; always the sum of the two.
        repairs: what the query dropped or repaired in them, per column of `REPAIRS`.
        redacted: how many secrets of each kind stand redacted in the conversations.
    """

    conversations: pl.DataFrame
    rejected: pl.DataFrame
    rows: int
    repairs: dict[str, int]
    redacted: dict[str, int]


def chunk_parameters(plan: Plan, day: date, *, chunk: int) -> dict[str, datetime | int]:
    """The query parameters of one chunk of the window of a partition key: pinned instants, never `ago()`."""
    start, end = plan.bounds(day)
    fewest, most = plan.turn_range
    return {
        "windowStart": start,
        "windowEnd": end,
        "chunk": chunk,
        "chunkCount": plan.chunks.count,
        "minTurns": fewest,
        "maxTurns": most,
    }


def unread_columns(rows: pl.DataFrame) -> list[str]:
    """Columns of a query's answer that the pipeline leaves out: new ones, or misspelt."""
    return sorted(set(rows.columns) - set(QUERY_COLUMNS))


def curate_chunk(rows: pl.DataFrame, plan: Plan, *, chunk: int, key: bytes | None = None) -> CuratedChunk:
    """Decode, make private, assign, judge and order the rows of one chunk's query.

    Args:
        rows: the answer of the candidates query.
        plan: what to take, where it belongs, what of it may leave.
        chunk: which one it is.
        key: the secret of the pseudonyms, where the plan wants them.

    Raises:
        Refused: the rows have other columns than the pipeline reads, or are conversations of another chunk.
        ValueError: there is no key for pseudonyms, or rows were lost on the way (defects of the caller or this module).
    """
    decoded = _private(decode(rows), plan, key)
    _require_own(rows, chunk, plan.chunks.count)
    judged = judge(assign(decoded.candidates, plan), conversation_rules(plan), plan)
    conversations = with_digests(judged.valid).sort("split", "bucket", "priority", "conversationId")
    rejected = pl.concat([judged.rejected, _dropped(decoded.dropped, plan)]).sort("dropReason", "conversationId")
    if conversations.height + rejected.height != rows.height:
        msg = f"{rows.height} rows came in, {conversations.height} + {rejected.height} went out"
        raise ValueError(msg)
    repairs = {name: int(rows[name].sum()) for name in REPAIRS}
    redacted = redaction_counts(conversations)
    return CuratedChunk(conversations.select(schema_of(Conversation).names()), rejected, rows.height, repairs, redacted)


def _private(decoded: Decoded, plan: Plan, key: bytes | None) -> Decoded:
    """What may go on: before splits are assigned, so that one by user follows from what is released."""
    candidates, dropped = decoded
    if plan.privacy.secrets == "redact":
        candidates = with_secrets_redacted(candidates)
    if plan.privacy.user_names == "pseudonym":
        if not key:
            msg = f"plan {plan.name} wants pseudonyms, and there is no key to make them"
            raise ValueError(msg)
        candidates, dropped = (
            frame.with_columns(pseudonyms(frame["userName"], key)) for frame in (candidates, dropped)
        )
    return Decoded(candidates, dropped)


def _require_own(rows: pl.DataFrame, chunk: int, count: int) -> None:
    """Refuse conversations of other chunks: where the service hashes otherwise, others are missing here."""
    ids = rows["conversationId"].fill_null("")
    foreign = ids.filter(chunks_of(ids, count=count) != chunk)
    if foreign.len():
        raise Refused(
            f"{foreign.len()} of {ids.len()} conversations that the query gave for chunk {chunk} of {count} belong to "
            f"other chunks by their hash: {', '.join(foreign.head(IDS_SHOWN))}",
            remedy="compare the query's chunk rule with queries/production/sft_candidates_hash_chunked.kql",
        )


def _dropped(dropped: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    reason = pl.col("dropReason")
    sentence = reason.replace_strict(DROP_SENTENCES, default="Dropped by the query", return_dtype=pl.String)
    return (
        assign(dropped.with_columns(pl.col("conversationId").fill_null("")), plan)
        .with_columns(pl.col("bucket").fill_null(""), errors=pl.concat_list(sentence))
        .select(schema_of(RejectedConversation).names())
    )


def take_turns(chunks: pl.LazyFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """The chosen conversations with all their turns, in priority order.

    Args:
        chunks: `Conversation` rows of all chunks; only row groups that can hold a chosen one are read.
        chosen: `Candidate` rows of one cell.

    Raises:
        ValueError: a chosen conversation is not in the chunks (they changed since).
    """
    columns = schema_of(Conversation).names()
    if chosen.is_empty():
        return chunks.select(columns).head(0).collect()
    in_reach = (
        (pl.col("split") == chosen["split"][0])
        & (pl.col("bucket") == chosen["bucket"][0])
        & (pl.col("priority") <= chosen["priority"].max())
    )
    wanted = chosen.lazy().select("conversationId", "digest")
    sample = (
        chunks.filter(in_reach)
        .join(wanted, on=["conversationId", "digest"], how="semi")
        .select(columns)
        .collect()
        .sort("priority", "conversationId")
    )
    if sample.height != chosen.height:
        msg = f"{chosen.height - sample.height} chosen conversations are not in the chunks any more: run them again"
        raise ValueError(msg)
    return sample
