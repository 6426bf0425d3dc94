"""Ids and digests of released lines: those of the records, line by line, and a line that is none is named."""

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.identities import SCHEMA, NoRecordError, Sought, identities, seek
from sft_pipeline.curation.records import record_lines
from sft_pipeline_tests.records_world import ODD_TEXT, SMALL, samples_of, with_turns

SAMPLE = with_turns(samples_of(SMALL)["train-short"], 1, userMessage=ODD_TEXT, modelMessage=ODD_TEXT)
LINES = record_lines(SAMPLE)


def test_ids_and_digests_are_those_of_the_sample():
    rows = identities(LINES)
    assert rows.schema == SCHEMA
    assert rows["conversationId"].to_list() == SAMPLE["conversationId"].to_list()
    assert [digest.hex() for digest in rows["digest"]] == SAMPLE["digest"].to_list()


def test_no_line_has_no_identity():
    assert identities(b"").equals(identities(LINES).clear())


@pytest.mark.parametrize(
    "odd",
    [
        b"\n",
        b"not JSON\n",
        b"{}\n",
        b'{"conversationId":null}\n',
        b'{"turnCount":3}\n',
        b"[1]\n",
        b"5\n",
        b'"conversationId"\n',
        b'{"conversationId":"a"\n',
        b"[" * 100_000 + b"\n",
        b"\xff\n",
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [0, 2, 4])
def test_a_line_that_is_no_record_is_named_by_its_number(odd: bytes, before: int):
    lines = LINES.splitlines(keepends=True)
    content = b"".join([*lines[:before], odd, *lines[before:]])
    with pytest.raises(NoRecordError) as refusal:
        identities(content)
    assert refusal.value.number == before + 1


def test_a_last_line_that_does_not_end_is_no_record():
    with pytest.raises(NoRecordError) as refusal:
        identities(LINES.removesuffix(b"\n"))
    assert refusal.value.number == SAMPLE.height


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True), st.booleans())
def test_any_id_is_read_as_it_was_written(ids: list[str], ascii_only: bool):
    lines = [json.dumps({"conversationId": one, "n": 1}, ensure_ascii=ascii_only).encode() for one in ids]
    rows = identities(b"".join(line + b"\n" for line in lines))
    assert rows["conversationId"].to_list() == ids
    assert rows["digest"].to_list() == [sha256(line).digest() for line in lines]


def test_a_conversation_is_found_on_its_line_with_its_turns_and_bucket():
    ids = SAMPLE["conversationId"].to_list()
    turns = SAMPLE["turnCount"].to_list()
    for place, conversation_id in enumerate(ids):
        found = seek(conversation_id, LINES)
        assert found == Sought(4, ids[-1], place + 1, turns[place], "short")
    assert seek(ids[0][:-1], LINES) == Sought(4, ids[-1])


def test_a_found_line_without_turns_is_no_record():
    with pytest.raises(NoRecordError, match="line 5"):
        seek("a", LINES + b'{"conversationId":"a","bucket":"short"}\n')
