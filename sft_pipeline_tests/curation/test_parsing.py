"""The way back from released lines to records."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sft_pipeline.curation.parsing import parse_records
from sft_pipeline.curation.records import record_lines
from sft_pipeline.curation.tables import RECORD_FIELDS
from sft_pipeline_tests.conversations_world import conversation, conversations, turn
from sft_pipeline_tests.records_world import ODD_TEXT

RECORD = json.loads(record_lines(conversations(conversation("c-1"))))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
COUNT = st.none() | st.integers(-(2**63), 2**63 - 1)
TURN = st.builds(turn, st.integers(1, 20), userMessage=TEXT, modelMessage=st.none() | TEXT, promptTokens=COUNT)
CONVERSATION = st.builds(
    conversation,
    TEXT,
    userName=st.none() | TEXT,
    models=st.lists(TEXT, max_size=2),
    completionTokens=COUNT,
    turnsArray=st.lists(TURN, max_size=3),
)


def line_of(**changes: Any) -> bytes:
    fields = {name: value for name, value in {**RECORD, **changes}.items() if value != "(left out)"}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@given(st.lists(CONVERSATION, max_size=4))
def test_records_are_read_back_as_they_were_written(rows: list[dict[str, Any]]):
    frame = conversations(*rows)
    parsed = parse_records(record_lines(frame))
    assert parsed.odd == ()
    assert_frame_equal(parsed.records, frame.select(RECORD_FIELDS))


def test_odd_characters_come_back():
    frame = conversations(conversation("c-1", turnsArray=[turn(1, userMessage=ODD_TEXT)]))
    parsed = parse_records(record_lines(frame))
    assert parsed.records["turnsArray"].item()[0]["userMessage"] == ODD_TEXT


def test_records_come_in_one_chunk():
    """Regression: formatting two columns that are chunked differently makes this version of Polars panic."""
    lines = record_lines(conversations(*[conversation(f"c-{number}") for number in range(2000)]))
    assert set(parse_records(lines).records.n_chunks("all")) == {1}


def test_the_same_json_escaped_otherwise_is_a_record():
    escaped = json.dumps({**RECORD, "userName": "caf\u00e9"}, ensure_ascii=True).encode() + b"\n"
    parsed = parse_records(escaped + line_of())
    assert parsed.odd == ()
    assert parsed.records["userName"].to_list() == ["caf\u00e9", RECORD["userName"]]


ODD_LINES: dict[str, bytes] = {
    "no JSON": b"{nope}\n",
    "a blank line": b"\n",
    "an array": b"[1]\n",
    "null": b"null\n",
    "an unknown field": line_of(mode="agent"),
    "a missing field": line_of(models="(left out)"),
    "other order": json.dumps(dict(reversed(RECORD.items()))).encode() + b"\n",
    "a field twice": line_of().replace(b'"turnCount":3', b'"turnCount":3,"turnCount":3'),
    "a number as text": line_of(turnCount="3"),
    "a fraction": line_of(turnCount=3.5),
    "a text as number": line_of(conversationId=5),
    "a number beyond 64 bits": line_of(promptTokens=10**20),
    "a time in another form": line_of(firstTime="2025-08-02 09:30"),
    "an unknown field of a turn": line_of(turnsArray=[{**RECORD["turnsArray"][0], "request": "x"}]),
    "a turn that is none": line_of(turnsArray=[1]),
    "turns as an object": line_of(turnsArray={}),
    "invalid UTF-8": line_of().replace(b"answer 1", b"answer \xff"),
    "a lone surrogate": line_of().replace(b"answer 1", b"answer \\ud800"),
    "deep nesting": line_of(models="(left out)").replace(
        b"{", b'{"models":' + b"[" * 100_000 + b"]" * 100_000 + b",", 1
    ),
    "no line end": line_of()[:-1],
    "half a line": line_of()[:-40] + b"\n",
}


@pytest.mark.parametrize("odd", ODD_LINES)
def test_what_this_project_would_not_have_written_is_no_record(odd: str):
    parsed = parse_records(line_of() + ODD_LINES[odd])
    assert parsed.odd == (1,)
    assert parsed.records.height == 1


def test_lines_after_an_odd_one_are_read():
    parsed = parse_records(line_of() + b"\n" + line_of(conversationId="c-2"))
    assert parsed.odd == (1,)
    assert parsed.records["conversationId"].to_list() == ["c-1", "c-2"]


def test_reading_stops_after_five_odd_lines():
    parsed = parse_records(b"\n" * 1_000_000)
    assert parsed.odd == (0, 1, 2, 3, 4)


def test_nothing_is_no_record():
    parsed = parse_records(b"")
    assert parsed.odd == ()
    assert parsed.records.schema == conversations().select(RECORD_FIELDS).schema
    assert isinstance(parsed.records, pl.DataFrame)
