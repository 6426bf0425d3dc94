import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.clients.kusto.failures import ServiceFailure
from sft_pipeline.clients.kusto.frames import response_parts
from sft_pipeline.clients.kusto.response import row_batches
from sft_pipeline_tests.clients.kusto.fixed_answers import END, Frame, frames

COLUMNS = {"id": "string", "n": "long", "d": "dynamic"}
NASTY = (
    '],["',
    ']]},{"FrameType":"DataSetCompletion"',
    '"Rows":[',
    "\\",
    '"',
    "\n",
    "é😀",
    "[",
    "]",
    "{",
    "}",
    ",",
    " ",
    "x",
)
TEXTS = st.lists(st.sampled_from(NASTY), max_size=12).map("".join)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.integers(-(2**63), 2**63 - 1),
        st.one_of(
            TEXTS, st.lists(st.lists(st.integers(0, 9))), st.dictionaries(st.sampled_from(["FrameType", "a"]), TEXTS)
        ),
    ).map(list),
    max_size=30,
)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def read(body: bytes, *, size: int = 7, part_bytes: int = 64) -> pl.DataFrame:
    return pl.concat(row_batches(response_parts(pieces(body, size), part_bytes=part_bytes)))


def told(answer: list[Frame], *, indent: int | None = None, ascii_only: bool = False) -> bytes:
    separators = (",", ": ") if indent else (",", ":")
    return json.dumps(answer, indent=indent, separators=separators, ensure_ascii=ascii_only).encode()


def fragmented(rows: list[Any], *, row_count: int) -> list[Frame]:
    header, table, end = frames(COLUMNS, [])
    return [
        header,
        {**table, "FrameType": "TableHeader", "Rows": []},
        *(
            {"FrameType": "TableFragment", "TableId": 1, "TableFragmentType": "DataAppend", "Rows": [row]}
            for row in rows
        ),
        {"FrameType": "TableCompletion", "TableId": 1, "RowCount": row_count},
        end,
    ]


def expected(rows: list[list[Any]]) -> list[tuple[object, ...]]:
    return [
        (*row[:2], row[2] if isinstance(row[2], str) else json.dumps(row[2], ensure_ascii=False, separators=(",", ":")))
        for row in rows
    ]


@given(ROWS, st.integers(1, 200), st.integers(1, 400), st.sampled_from([None, 1, 4]), st.booleans())
def test_rows_are_the_same_however_the_body_is_cut(
    rows: list[list[Any]], size: int, part_bytes: int, indent: int | None, ascii_only: bool
) -> None:
    body = told(frames(COLUMNS, rows), indent=indent, ascii_only=ascii_only)
    assert read(body, size=size, part_bytes=part_bytes).rows() == expected(rows)


@given(ROWS, st.integers(1, 200))
def test_fragments_are_put_together(rows: list[list[Any]], size: int) -> None:
    assert read(told(fragmented(rows, row_count=len(rows))), size=size).rows() == expected(rows)


@given(ROWS, st.data())
def test_a_body_that_breaks_off_anywhere_is_no_answer(rows: list[list[Any]], data: st.DataObject) -> None:
    body = told(frames(COLUMNS, rows))
    with pytest.raises(ServiceFailure):
        read(body[: data.draw(st.integers(0, len(body) - 1))], part_bytes=data.draw(st.integers(1, 400)))


def test_a_large_table_is_never_held_whole() -> None:
    rows: list[list[Any]] = [[f"{number:05}" + '],["' * 50, number, "x"] for number in range(500)]
    body = told(frames(COLUMNS, rows))
    heights = [batch.height for batch in row_batches(response_parts(pieces(body, 1000), part_bytes=4000))]
    assert sum(heights) == 500
    assert max(heights) <= 40


def test_fewer_rows_than_were_announced_are_no_answer() -> None:
    with pytest.raises(ServiceFailure, match="holds 1 rows of 2"):
        read(told(fragmented([["a", 1, "x"]], row_count=2)))


def test_a_table_whose_completion_is_missing_is_no_answer() -> None:
    answer = [frame for frame in fragmented([["a", 1, "x"]], row_count=1) if frame["FrameType"] != "TableCompletion"]
    with pytest.raises(ServiceFailure, match="has no end"):
        read(told(answer))


def test_rows_that_are_taken_back_are_refused() -> None:
    answer = fragmented([["a", 1, "x"]], row_count=1)
    answer[2]["TableFragmentType"] = "DataReplace"
    with pytest.raises(ServiceFailure, match="switch progressive results off"):
        read(told(answer))


@pytest.mark.parametrize("part_bytes", [16, 1 << 20])
def test_half_of_a_surrogate_pair_becomes_a_replacement_character(part_bytes: int) -> None:
    body = told(frames(COLUMNS, [["a?b", 1, "?"], ["c", 2, "😀"]]), ascii_only=True).replace(b"?", b"\\ud83d")
    assert read(body, part_bytes=part_bytes).rows() == [("a\ufffdb", 1, "\ufffd"), ("c", 2, "😀")]


def test_an_error_in_place_of_an_answer_is_told() -> None:
    error = {"code": "BadRequest", "message": "m", "@message": "no such database", "@permanent": True}
    with pytest.raises(ServiceFailure, match="BadRequest: no such database") as raised:
        read(json.dumps({"error": error}).encode())
    assert raised.value.kind == "permanent"


def test_an_error_that_the_end_reports_is_told() -> None:
    error = {"code": "c", "message": "m", "@message": "E_QUERY_RESULT_SET_TOO_LARGE", "@permanent": False}
    answer = frames(COLUMNS, [["a", 1, "x"]], end={**END, "HasErrors": True, "OneApiErrors": [{"error": error}]})
    with pytest.raises(ServiceFailure) as raised:
        read(told(answer))
    assert raised.value.kind == "too_large"


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"[1]", b'{"Tables":[]}'])
def test_what_is_not_the_protocol_is_no_answer(body: bytes) -> None:
    with pytest.raises(ServiceFailure):
        read(body)


STATUS = [{"ColumnName": name, "ColumnType": "string"} for name in ("Level", "StatusCodeName", "Payload")]


@pytest.mark.parametrize(
    "odd",
    [
        {"FrameType": "DataTable", "TableKind": "PrimaryResult", "Columns": []},
        {"FrameType": "DataTable", "TableKind": "PrimaryResult", "Rows": []},
        {"FrameType": "DataTable", "TableKind": "PrimaryResult", "Columns": [], "Rows": None},
        {"FrameType": "DataTable", "TableKind": "QueryCompletionInformation", "Columns": STATUS, "Rows": [["secret"]]},
        {"FrameType": "DataSetCompletion", "HasErrors": True, "OneApiErrors": ["secret"]},
    ],
)
def test_a_frame_of_another_shape_is_no_answer_and_is_not_quoted(odd: Frame) -> None:
    with pytest.raises(ServiceFailure, match="is not one of the v2 protocol") as raised:
        read(told([odd]))
    assert "secret" not in str(raised.value)


def test_a_table_that_does_not_say_how_many_rows_it_had_is_no_answer() -> None:
    answer = fragmented([["a", 1, "x"]], row_count=1)
    del answer[3]["RowCount"]
    with pytest.raises(ServiceFailure, match="a frame TableCompletion"):
        read(told(answer))


def test_two_columns_of_one_name_are_refused() -> None:
    columns = [{"ColumnName": "n", "ColumnType": "long"}] * 2
    table = {"FrameType": "DataTable", "TableKind": "PrimaryResult", "TableId": 1, "Columns": columns, "Rows": [[1, 2]]}
    with pytest.raises(ServiceFailure, match="one name") as raised:
        read(told([table, END]))
    assert raised.value.kind == "permanent"
