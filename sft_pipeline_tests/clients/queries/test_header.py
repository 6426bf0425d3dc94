import pytest

from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.clients.queries.header import QueryHeader, read_header
from sft_pipeline.curation.refusal import Refused

WHOLE = """\
// What is asked,
// over two lines?
//
// Why it is asked,
// at length.
//
// A second paragraph.
//
// Parameters
//   since, until  the window
//   part          which part,
//                 from 0
//
// Result
//   id
//   first, second,
//   third
//                 what is counted
//   rate          0 to 1
declare query_parameters(since:datetime);
// no part of the header
print 1
"""


def test_a_whole_header_is_read() -> None:
    assert read_header(WHOLE, "x.kql") == QueryHeader(
        question="What is asked, over two lines?",
        explanation=("Why it is asked, at length.", "A second paragraph."),
        parameters={"since": "the window", "until": "the window", "part": "which part, from 0"},
        result={
            "id": "",
            "first": "what is counted",
            "second": "what is counted",
            "third": "what is counted",
            "rate": "0 to 1",
        },
    )


def test_names_keep_the_order_of_the_header() -> None:
    assert list(read_header(WHOLE, "x.kql").result) == ["id", "first", "second", "third", "rate"]


@pytest.mark.parametrize("text", ["", "print 1", "\n// late\nprint 1"])
def test_a_file_without_a_header_has_an_empty_one(text: str) -> None:
    assert read_header(text, "x.kql") == QueryHeader()


def test_a_question_alone_is_a_header() -> None:
    assert read_header("// Why?\nprint 1", "x.kql") == QueryHeader(question="Why?")


@pytest.mark.parametrize(
    "line",
    ["conversationId ... unattachedFinals as there", "one blank", " shallow  meaning", "a,b  meaning", "      deep"],
)
def test_a_line_that_is_neither_names_nor_meaning_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(Refused, match=r"x\.kql, Result, has the line") as refused:
        read_header(f"// Why?\n//\n// Result\n//   {line}\n", "x.kql")
    assert line.strip() in refused.value.what


@pytest.mark.parametrize("lines", ["//   a  one\n//   a  two", "//   a, a  one", "//   a,\n//   a  one"])
def test_a_name_that_is_told_twice_is_refused(lines: str) -> None:
    with pytest.raises(Refused, match="tells a twice"):
        read_header(f"// Why?\n//\n// Parameters\n{lines}\n", "x.kql")


def test_a_query_gives_its_header() -> None:
    query = Query("folder/asked", "folder/asked.kql", WHOLE, "0")
    assert query.header == read_header(WHOLE, "folder/asked.kql")
