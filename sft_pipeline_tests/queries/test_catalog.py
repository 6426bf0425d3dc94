"""What holds for every query of the catalog, whatever it asks."""

import re
from functools import cache

import polars as pl
import pytest

from sft_pipeline.clients.kusto.embedded import CHUNK_RULE, EmbeddedKusto
from sft_pipeline.clients.kusto.response import POLARS_TYPES
from sft_pipeline.clients.queries.catalog import Query, list_queries, load_query
from sft_pipeline.telemetry.events import write_events
from sft_pipeline_tests.queries.parser import catalog_columns, needs_parser
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, world_events

CHUNKED = {"windowStart": "datetime", "windowEnd": "datetime", "chunk": "long", "chunkCount": "long"}
UNSTABLE = re.compile(r"\b(?:hash|hash_xxhash64|rand|sample|take_any|any)\s*\(")
"""Functions that answer otherwise on another day, machine or version."""

every_query = pytest.mark.parametrize("name", list_queries())


@pytest.fixture(scope="module")
def kusto(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedKusto:
    """The hand-written world."""
    folder = tmp_path_factory.mktemp("world")
    write_events(world_events(), folder, part=0)
    return EmbeddedKusto(folder, store=folder / "store", staged_chunks=1)


@cache
def answer(kusto: EmbeddedKusto, name: str) -> pl.DataFrame:
    """The whole world's answer; asked once."""
    return kusto.execute(load_query(name), {"windowStart": WINDOW_START, "windowEnd": WINDOW_END, "chunkCount": 1})


def code(query: Query) -> str:
    """The query without comments."""
    return re.sub(r"//[^\n]*", "", query.text)


@every_query
def test_it_says_which_question_it_answers(name: str) -> None:
    header = load_query(name).header
    assert re.fullmatch(r"[A-Z][^?]*\?", header.question), header.question


@every_query
def test_every_declared_parameter_is_described_and_every_described_one_declared(name: str) -> None:
    query = load_query(name)
    assert list(query.header.parameters) == list(query.parameters)
    assert [parameter for parameter, meaning in query.header.parameters.items() if not meaning] == []


@every_query
def test_the_columns_told_are_those_of_the_answer(name: str, kusto: EmbeddedKusto) -> None:
    assert sorted(load_query(name).header.result) == sorted(answer(kusto, name).columns)


@every_query
def test_it_reads_one_chunk_of_a_window(name: str) -> None:
    query = load_query(name)
    assert {parameter: query.parameters.get(parameter) for parameter in CHUNKED} == CHUNKED
    assert query.defaults["chunk"] == "0"
    assert CHUNK_RULE in query.text


@every_query
def test_it_is_one_statement_that_answers_the_same_every_day(name: str) -> None:
    text = code(load_query(name))
    assert UNSTABLE.findall(text) == []
    assert re.findall(r"^\s*set\s", text, re.MULTILINE) == []


@every_query
def test_it_spells_no_character_by_its_number(name: str) -> None:
    """The embedded engine reads `\\u00e9` in a text as `u00e9`, and says nothing."""
    assert re.findall(r"\\[uUx][0-9A-Fa-f]", code(load_query(name))) == []


@needs_parser
def test_the_parser_has_nothing_to_say_of_any() -> None:
    assert sorted(catalog_columns()) == list_queries()


@needs_parser
@every_query
def test_the_embedded_engine_answers_with_the_types_that_a_cluster_would(name: str, kusto: EmbeddedKusto) -> None:
    expected = {column: POLARS_TYPES[kind] for column, kind in catalog_columns()[name].items()}
    assert dict(answer(kusto, name).schema) == expected
