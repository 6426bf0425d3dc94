from pathlib import Path

import duckdb_kql
import pytest

from sft_pipeline.clients.queries.catalog import find_query, list_queries, load_query, query_from_file
from sft_pipeline.curation.refusal import Refused

PRODUCTION = "production/sft_candidates_hash_chunked"
TESTS = ["test/sft_test_100", "test/sft_test_100_lite", "test/sft_test_100_with_trajectory"]
SHARED_FROM, SHARED_TO = "// >>> shared", "// <<< shared"


def written(folder: Path, text: str) -> Path:
    path = folder / "some.kql"
    path.write_text(text, encoding="utf-8")
    return path


def shared_text(name: str) -> str:
    text = load_query(name).text
    return text[text.index(SHARED_FROM) : text.index(SHARED_TO)]


def test_the_catalog_lists_what_is_in_the_folder() -> None:
    assert {PRODUCTION, *TESTS} <= set(list_queries())


@pytest.mark.parametrize("name", [PRODUCTION, f"{PRODUCTION}.kql", "sft_candidates_hash_chunked"])
def test_a_query_is_found_by_path_with_or_without_suffix_and_by_its_last_part(name: str) -> None:
    query = load_query(name)
    assert (query.name, query.path) == (PRODUCTION, f"{PRODUCTION}.kql")


def test_a_query_knows_its_parameters_in_order_with_types_and_defaults() -> None:
    query = load_query(PRODUCTION)
    assert list(query.parameters.items()) == [
        ("windowStart", "datetime"),
        ("windowEnd", "datetime"),
        ("chunk", "long"),
        ("chunkCount", "long"),
        ("minTurns", "long"),
        ("maxTurns", "long"),
    ]
    assert query.defaults == {"chunk": "0", "chunkCount": "40", "minTurns": "3", "maxTurns": "20"}


@pytest.mark.parametrize("name", list_queries())
def test_parameters_are_those_that_the_engine_reads(name: str) -> None:
    query = load_query(name)
    declared = duckdb_kql.to_sql(query.text, schema={"AppEvents": RAW_COLUMNS}).declarations
    assert {parameter.name: parameter.type for parameter in declared} == query.parameters
    assert {parameter.name for parameter in declared if not parameter.required} >= {
        name for name, default in query.defaults.items() if "null" not in default
    }


RAW_COLUMNS = ["TimeGenerated", "Name", "Properties", "Measurements"]


def test_the_digest_changes_with_the_text_and_with_nothing_else(tmp_path: Path) -> None:
    one = query_from_file(written(tmp_path, "print 1"))
    same = query_from_file(written(tmp_path, "print 1"))
    other = query_from_file(written(tmp_path, "print 2"))
    assert one.sha256 == same.sha256 != other.sha256


def test_a_query_without_parameters_has_none(tmp_path: Path) -> None:
    assert query_from_file(written(tmp_path, "AppEvents | count")).parameters == {}


def test_comments_and_texts_do_not_declare_parameters(tmp_path: Path) -> None:
    text = (
        "// declare query_parameters(a:long);\n"
        'declare query_parameters(b:string = "x), (c:long // no comment", // the first\n'
        "  d:datetime=datetime(2026-01-01), e:real);\nprint b"
    )
    query = query_from_file(written(tmp_path, text))
    assert query.parameters == {"b": "string", "d": "datetime", "e": "real"}
    assert query.defaults == {"b": '"x), (c:long // no comment"', "d": "datetime(2026-01-01)"}


def test_a_parameter_of_a_type_that_is_not_bound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="'span:timespan'"):
        query_from_file(written(tmp_path, "declare query_parameters(span:timespan); print span"))


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(Refused, match=f"no query is named 'nope'[^$]*{PRODUCTION}"):
        load_query("nope")


def test_a_missing_file_and_a_file_of_other_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no query file"):
        query_from_file(tmp_path / "none.kql")
    (tmp_path / "bytes.kql").write_bytes(b"print \xff")
    with pytest.raises(Refused, match="not UTF-8"):
        query_from_file(tmp_path / "bytes.kql")


def test_a_path_goes_before_the_catalog(tmp_path: Path) -> None:
    path = written(tmp_path, "print 1")
    assert find_query(str(path)).text == "print 1"
    assert find_query(PRODUCTION) == load_query(PRODUCTION)


SHARING = [name for name in list_queries() if SHARED_FROM in load_query(name).text]


@pytest.mark.parametrize("name", SHARING)
def test_queries_over_conversations_share_the_text_of_the_production_query(name: str) -> None:
    assert shared_text(name) == shared_text(PRODUCTION)


def test_the_test_queries_are_among_them_and_the_text_is_most_of_the_query() -> None:
    assert {PRODUCTION, *TESTS} <= set(SHARING)
    assert len(shared_text(PRODUCTION)) > len(load_query(PRODUCTION).text) / 2


@pytest.mark.parametrize("name", list_queries())
def test_the_marks_of_the_shared_text_come_in_pairs_with_the_window_before_them(name: str) -> None:
    text = load_query(name).text
    assert text.count(SHARED_FROM) == text.count(SHARED_TO) == (1 if name in SHARING else 0)
    if name in SHARING:
        before = text[: text.index(SHARED_FROM)]
        assert before.index("let since = ") < before.index("let until = ")
