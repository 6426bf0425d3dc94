"""The facts of SFT lines add up over any cut of a file, and hold no text."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.line_tokens import estimated_tokens
from sft_pipeline.curation.requests import content_key
from sft_pipeline.curation.sft_lines import sft_lines
from sft_pipeline.curation.sft_survey import (
    LABEL_TABLE,
    LINE_FACTS,
    join_line_surveys,
    odd_columns,
    odd_nulls,
    survey_sft_lines,
)

TEXTS = st.lists(st.tuples(st.text(st.characters(exclude_categories=("Cs",))), st.sampled_from((0, 1))), max_size=8)


def lines_of(rows: list[tuple[str, int]]) -> bytes:
    return sft_lines(pl.DataFrame(rows, schema={"content": pl.String, "label": pl.Int64}, orient="row"))


@given(TEXTS)
def test_a_survey_tells_number_label_key_and_tokens_of_every_line(rows: list[tuple[str, int]]):
    survey = survey_sft_lines(lines_of(rows))
    assert (survey.lines, survey.odd) == (len(rows), ())
    assert survey.rows.schema == LINE_FACTS
    assert survey.rows.rows() == [
        (number, label, content_key(text), estimated_tokens(text), False)
        for number, (text, label) in enumerate(rows, 1)
    ]


@given(TEXTS, st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8)))
def test_surveys_of_parts_join_to_that_of_the_whole(rows: list[tuple[str, int]], cuts: set[int], odd: set[int]):
    lines = lines_of(rows).splitlines(keepends=True)
    lines = [b"odd\n" if number in odd else line for number, line in enumerate(lines)]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    parts = [b"".join(lines[start:end]) for start, end in pairwise(bounds)]
    joined, whole = join_line_surveys(map(survey_sft_lines, parts)), survey_sft_lines(b"".join(lines))
    assert (joined.lines, joined.odd) == (whole.lines, whole.odd)
    assert joined.rows.equals(whole.rows)


@pytest.mark.parametrize("end", [b"", b"{}", lines_of([("c", 1)])[:-1], b"\n"])
def test_what_is_no_line_is_odd_by_its_number(end: bytes):
    survey = survey_sft_lines(lines_of([("a", 0), ("b", 1)]) + end)
    assert survey.odd == ((3,) if end else ())
    assert survey.rows["line"].to_list() == [1, 2]


def test_five_odd_lines_are_told():
    assert survey_sft_lines(b"x\n" * 9).odd == (1, 2, 3, 4, 5)


def test_a_token_of_someone_is_found():
    survey = survey_sft_lines(lines_of([("use ghp_" + "a1B2" * 9, 0), ("use a token", 0)]))
    assert survey.rows["secret"].to_list() == [True, False]


def test_columns_of_a_label_table_are_exactly_those():
    assert odd_columns(LABEL_TABLE) == ""
    assert odd_columns(pl.Schema({**LABEL_TABLE, "content": pl.String()})) == "has other columns: content"
    assert odd_columns(pl.Schema({**LABEL_TABLE, "label": pl.Int8()})) == "has other columns: label"
    without = pl.Schema({name: dtype for name, dtype in LABEL_TABLE.items() if name != "weight"})
    assert odd_columns(without) == "has other columns: weight"
    assert odd_columns(pl.Schema(reversed(LABEL_TABLE.items()))) == "has its columns in another order"


def test_only_some_columns_of_a_label_table_may_be_null():
    empty = pl.DataFrame(schema=LABEL_TABLE)
    assert odd_nulls(empty) == ""
    assert odd_nulls(empty.clear(1)).startswith("lacks values of requestId, conversationId, ")
    nullable = (
        "probability",
        "model",
        "numRequests",
        "turnDurationMs",
        "toolDiversity",
        "toolCalls",
        "promptTokenDelta",
    )
    assert odd_nulls(empty.clear(1).select(nullable)) == ""
