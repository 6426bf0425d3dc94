from pathlib import Path

import pytest

from sft_pipeline.clients.queries.catalog import list_queries, load_query
from sft_pipeline.clients.queries.reference import GOALS, render_reference

PAGE = Path(__file__).parents[3] / "docs" / "04_QUERY_REFERENCE.md"


@pytest.fixture(scope="module")
def rendered() -> str:
    return render_reference()


def test_the_page_in_docs_is_what_the_headers_give(rendered: str) -> None:
    written = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    assert written == rendered, "run `make docs`"


def test_every_goal_has_its_query() -> None:
    assert {name for _, name in GOALS} <= {name.rpartition("/")[2] for name in list_queries()}


@pytest.mark.parametrize("name", list_queries())
def test_a_query_is_in_the_guide_once_and_has_a_section_of_its_own(rendered: str, name: str) -> None:
    last = name.rpartition("/")[2]
    guide, _, sections = rendered.partition("\n## Which query\n")[2].partition("\n## ")
    assert guide.count(f"| [{name}](#{last.lower()}) |") == 1
    assert sections.count(f"\n### {last}\n") == 1
    assert f"sft-pipeline query {name} " in sections


@pytest.mark.parametrize("name", list_queries())
def test_a_section_tells_every_parameter_and_every_column(rendered: str, name: str) -> None:
    query = load_query(name)
    section = rendered.partition(f"\n### {name.rpartition('/')[2]}\n")[2].partition("\n### ")[0]
    assert [f"| `{parameter}` | {kind} |" in section for parameter, kind in query.parameters.items()].count(False) == 0
    assert [column for column in query.header.result if f"`{column}`" not in section] == []


def test_no_angle_bracket_is_left_to_be_taken_for_html(rendered: str) -> None:
    prose = rendered.partition("-->")[2]
    assert "<conversationId>" not in prose.replace("\\<conversationId>", "")
    assert "\\<conversationId>" in prose
