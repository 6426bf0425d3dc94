"""What an id, a plan and the last ones taken tell of a conversation that a release does not hold."""

from collections.abc import Iterator
from itertools import count

import pytest

from sft_pipeline.curation.hashing import chunk_of, priority_of
from sft_pipeline.curation.standing import Taken, chunk_told, split_of, split_told, why_not
from sft_pipeline.plans import read_plan
from sft_pipeline_tests.conversations_world import BY_USER
from sft_pipeline_tests.records_world import SMALL, samples_of

SAMPLES = samples_of(SMALL)
CELL = SMALL.cell("train-short")
LAST = SAMPLES["train-short"]["conversationId"].to_list()[-1]


def ids_ranked(*, above: bool) -> Iterator[str]:
    limit = priority_of(LAST, salt=SMALL.sample.salt)
    for number in count():
        priority = priority_of(f"id-{number}", salt=SMALL.sample.salt)
        if (priority > limit) == above:
            yield f"id-{number}"


@pytest.mark.parametrize("key", [cell.key for cell in SMALL.cells])
def test_the_split_is_the_one_that_the_record_is_given(key: str):
    for conversation_id in SAMPLES[key]["conversationId"]:
        assert split_of(conversation_id, SMALL) == key.partition("-")[0]
        assert split_told(conversation_id, SMALL).startswith(f"{key.partition('-')[0]}, by the hash")


def test_the_chunk_is_told_as_its_partition_is_named():
    assert chunk_told("some id", SMALL).startswith(
        f"{chunk_of('some id', SMALL.chunks.count)}-of-{SMALL.chunks.count},"
    )


def test_an_id_does_not_tell_the_split_of_its_user():
    assert split_of("some id", BY_USER) == ""
    assert "whom the id does not tell" in split_told("some id", BY_USER)


def test_a_plan_that_does_not_split_has_one_split():
    assert split_told("some id", read_plan("production_100k")) == "all: the plan does not split"


def test_above_the_last_priority_it_ranked_too_low_if_it_was_a_candidate():
    conversation_id = next(ids_ranked(above=True))
    told = why_not(conversation_id, SMALL, Taken(CELL, 4, LAST))
    assert told.startswith("ranks too low, if it was a candidate")
    assert f"{priority_of(conversation_id, salt=SMALL.sample.salt):015x} lies above" in told
    assert "no candidate of this cell" not in told


def test_below_the_last_priority_it_was_no_candidate():
    told = why_not(next(ids_ranked(above=False)), SMALL, Taken(CELL, 4, LAST))
    assert "would have been taken" in told
    assert "no candidate of this cell: incomplete, of another number of turns, or not seen" in told


@pytest.mark.parametrize(("records", "last"), [(3, LAST), (0, "")])
def test_where_a_cell_falls_short_it_was_no_candidate_whatever_it_ranks(records: int, last: str):
    told = why_not(next(ids_ranked(above=True)), SMALL, Taken(CELL, records, last))
    assert told.startswith(f"every candidate was taken ({records} of 4 wanted): it was no candidate")


def test_the_last_one_taken_itself_did_not_rank_too_low():
    assert "would have been taken" in why_not(LAST, SMALL, Taken(CELL, 4, LAST))
