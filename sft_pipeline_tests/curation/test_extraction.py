from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.extraction import DROP_SENTENCES, chunk_parameters, curate_chunk, take_turns, unread_columns
from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.sampling import aggregate, choose
from sft_pipeline.curation.tables import Candidate, Conversation, RejectedConversation, schema_of
from sft_pipeline_tests.conversations_world import PLAN, query_row, query_rows

CHUNK = 0
IDS = [text for text in (f"c-{number}" for number in range(400)) if chunk_of(text, PLAN.chunks.count) == CHUNK]


def test_a_chunk_is_asked_for_by_pinned_instants_and_the_turn_range_of_the_plan() -> None:
    assert chunk_parameters(PLAN, date(2026, 11, 1), chunk=3) == {
        "windowStart": datetime(2026, 10, 31, tzinfo=UTC),
        "windowEnd": datetime(2026, 11, 1, tzinfo=UTC),
        "chunk": 3,
        "chunkCount": 4,
        "minTurns": 3,
        "maxTurns": 20,
    }


def test_candidates_are_kept_and_others_leave_with_their_reason() -> None:
    dropped = query_row(IDS[1], dropReason="turn_missing", turnsArray="")
    blank = query_row(IDS[2], userName="")
    chunk = curate_chunk(query_rows(query_row(IDS[0]), dropped, blank), PLAN, chunk=CHUNK)
    assert chunk.conversations["conversationId"].to_list() == [IDS[0]]
    assert chunk.rejected.select("conversationId", "dropReason", "errors").rows() == [
        (IDS[2], "invalid", ["Missing required fields: userName"]),
        (IDS[1], "turn_missing", [DROP_SENTENCES["turn_missing"]]),
    ]


def test_the_tables_have_the_columns_of_their_schemas() -> None:
    chunk = curate_chunk(query_rows(query_row(IDS[0])), PLAN, chunk=CHUNK)
    assert chunk.conversations.schema == schema_of(Conversation)
    assert chunk.rejected.schema == schema_of(RejectedConversation)


@pytest.mark.parametrize("reason", ["", "turn_missing"])
def test_a_conversation_of_another_chunk_refuses_the_chunk_by_name(reason: str) -> None:
    other = next(text for text in (f"c-{n}" for n in range(50)) if chunk_of(text, PLAN.chunks.count) != CHUNK)
    rows = query_rows(query_row(IDS[0]), query_row(other, dropReason=reason))
    with pytest.raises(Refused, match=f"1 of 2 conversations .* chunk 0 of 4 belong to other chunks .*: {other}"):
        curate_chunk(rows, PLAN, chunk=CHUNK)


def test_columns_that_are_not_read_are_named_and_change_nothing() -> None:
    rows = query_rows(query_row(IDS[0]))
    wider = rows.with_columns(novelty=pl.lit("x"), another=1)
    assert unread_columns(rows) == []
    assert unread_columns(wider) == ["another", "novelty"]
    assert curate_chunk(wider, PLAN, chunk=CHUNK).conversations.equals(
        curate_chunk(rows, PLAN, chunk=CHUNK).conversations
    )


def test_repairs_are_summed_over_all_that_was_looked_at() -> None:
    rows = query_rows(query_row(IDS[0], retriedTurns=1), query_row(IDS[1], dropReason="too_few_turns", retriedTurns=2))
    assert curate_chunk(rows, PLAN, chunk=CHUNK).repairs["retriedTurns"] == 3


@given(st.permutations(IDS[:12]), st.sets(st.sampled_from(IDS[:12])))
def test_nothing_is_lost_and_the_order_of_rows_does_not_matter(ids: list[str], dropped: set[str]) -> None:
    rows = query_rows(*[query_row(one, dropReason="turn_missing" if one in dropped else "") for one in ids])
    chunk = curate_chunk(rows, PLAN, chunk=CHUNK)
    assert chunk.conversations.height + chunk.rejected.height == chunk.rows == len(ids)
    assert chunk.conversations.equals(curate_chunk(rows.sort("conversationId"), PLAN, chunk=CHUNK).conversations)


def chunk_of_short_conversations() -> pl.DataFrame:
    return curate_chunk(query_rows(*[query_row(one) for one in IDS[:40]]), PLAN, chunk=CHUNK).conversations


def candidates_of(chunk: pl.DataFrame) -> pl.DataFrame:
    columns = [name for name in schema_of(Candidate).names() if name != "rank"]
    return aggregate(chunk.with_columns(chunk=pl.lit("0-of-4")).select(columns)).candidates


def test_a_sample_has_the_turns_of_the_chosen_in_priority_order() -> None:
    chunk = chunk_of_short_conversations()
    chosen = choose(candidates_of(chunk), PLAN.cell("train-short"))
    sample = take_turns(chunk.lazy(), chosen)
    assert sample["conversationId"].to_list() == chosen["conversationId"].to_list()
    assert sample["priority"].is_sorted()
    assert sample.schema == schema_of(Conversation)


def test_an_empty_cell_gives_an_empty_sample() -> None:
    chunk = chunk_of_short_conversations()
    chosen = choose(candidates_of(chunk), PLAN.cell("val-long"))
    assert take_turns(chunk.lazy(), chosen).schema == schema_of(Conversation)


def test_a_chosen_conversation_that_changed_since_is_not_taken_silently() -> None:
    chunk = chunk_of_short_conversations()
    chosen = choose(candidates_of(chunk), PLAN.cell("train-short"))
    with pytest.raises(ValueError, match="1 chosen conversations are not in the chunks any more"):
        take_turns(chunk.filter(pl.col("conversationId") != chosen["conversationId"][0]).lazy(), chosen)
