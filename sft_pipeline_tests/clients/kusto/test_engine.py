"""Facts about duckdb-kql and DuckDB that the queries rest on: a new version that changes one of them fails here."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.queries.catalog import query_from_file
from sft_pipeline.telemetry.events import RAW_SCHEMA, write_events

TIME = datetime(2026, 10, 20, 1, 2, 3, 456789, tzinfo=UTC)


class Rows:
    """Asks KQL over rows that lie in `Properties`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, rows: list[dict[str, object]], kql: str) -> pl.DataFrame:
        told = [orjson.dumps(row).decode() for row in rows]
        events = pl.DataFrame({"TimeGenerated": TIME, "Name": "e", "Properties": told, "Measurements": "{}"})
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in RAW_SCHEMA.items() if name not in events.columns]
        write_events(events.with_columns(missing), self.folder, part=0)
        (self.folder / "q.kql").write_text(kql)
        kusto = EmbeddedKusto(self.folder, store=self.folder / "store", staged_chunks=1, threads=1)
        return kusto.execute(query_from_file(self.folder / "q.kql"), {})


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return Rows(tmp_path_factory.mktemp("engine"))


NESTED = """
AppEvents
| extend text = tostring(Properties.text), none = tostring(Properties.none)
| extend call = bag_pack("text", text, "number", 1, "null", tolong(none))
| summarize calls = make_list(call) by text
| extend turn = bag_pack("text", text, "calls", calls)
| summarize turns = make_list(turn)
| project turns = tostring(turns)
"""


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, unique=True))
def test_nested_lists_of_bags_are_one_json_text_whatever_they_hold(ask: Rows, texts: list[str]) -> None:
    answer = ask([{"text": text} for text in texts], NESTED)
    turns = sorted(orjson.loads(answer.item()), key=lambda turn: turn["text"])
    assert turns == [{"text": t, "calls": [{"text": t, "number": 1, "null": None}]} for t in sorted(texts)]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1))
def test_the_greatest_text_is_the_greatest_by_code_points(ask: Rows, texts: list[str]) -> None:
    answer = ask(
        [{"t": text} for text in texts], "AppEvents | extend t = tostring(Properties.t) | summarize max(t), min(t)"
    )
    assert answer.row(0) == (max(texts), min(texts))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_a_text_is_found_again_by_its_length_in_a_longer_one(ask: Rows, head: str, tail: str) -> None:
    kql = """
        AppEvents
        | extend head = tostring(Properties.head), tail = tostring(Properties.tail)
        | extend whole = strcat(head, tail), length = strlen(head)
        | project substring(whole, 0, length), substring(whole, length), length"""
    assert ask([{"head": head, "tail": tail}], kql).row(0) == (head, tail, len(head))


def test_the_digest_of_an_id_is_that_of_hashlib_and_the_rest_is_never_negative(ask: Rows) -> None:
    kql = 'print h = hash_sha256("chunk:é😀"), r = (-7) % 4, n = tolong("0xffffffff") % 40'
    assert ask([{}], kql).row(0) == (sha256("chunk:é😀".encode()).hexdigest(), 1, 0xFFFFFFFF % 40)


def test_the_row_with_the_greatest_key_is_told_also_when_its_value_is_null(ask: Rows) -> None:
    kql = """
        AppEvents
        | extend k = tostring(Properties.k), v = tolong(Properties.v)
        | summarize arg_max(k, v)"""
    assert ask([{"k": "a", "v": 1}, {"k": "b"}], kql).row(0) == ("b", None)


def test_a_missing_property_adds_nothing_to_a_text_and_a_string_is_told_without_quotes(ask: Rows) -> None:
    kql = "AppEvents | project t = strcat(Properties.a, Properties.none, Properties.b), n = isnotnull(Properties.none)"
    assert ask([{"a": 'x"', "b": "y"}], kql).row(0) == ('x"y', False)


def test_a_time_as_text_has_seven_decimals_and_sorts_as_the_time(ask: Rows) -> None:
    assert ask([{}], "AppEvents | project tostring(TimeGenerated)").item() == "2026-10-20T01:02:03.4567890Z"


def test_microseconds_to_a_later_time_are_positive(ask: Rows) -> None:
    kql = "print datetime_diff('microsecond', datetime(2026-10-20T00:00:01.5), datetime(2026-10-20))"
    assert ask([{}], kql).item() == 1_500_000


def test_a_null_in_a_bag_is_a_json_null_and_a_text_is_a_text(ask: Rows) -> None:
    kql = """
        let nullable = (value:string) { iff(value == "", dynamic(null), pack_array(value)[0]) };
        AppEvents
        | extend a = tostring(Properties.a), b = tostring(Properties.b)
        | project bag = tostring(bag_pack("a", nullable(a), "b", nullable(b)))"""
    assert orjson.loads(ask([{"a": 'x "y"'}], kql).item()) == {"a": 'x "y"', "b": None}


def test_numbers_are_read_from_texts_and_from_numbers_and_nothing_else_is_one(ask: Rows) -> None:
    kql = """
        AppEvents
        | extend values = pack_array(Properties.text, Properties.number, Properties.half, Properties.word, Properties.x)
        | extend values = parse_json(tostring(values))
        | project tolong(tostring(values[0])), tolong(values[1]), tolong(values[2]), tolong(tostring(values[3])),
            tolong(tostring(values[4]))"""
    row = ask([{"text": "7", "number": 8, "half": 9.5, "word": "x"}], kql).row(0)
    assert row == (7, 8, 9, None, None)


def test_white_space_is_taken_off_both_ends(ask: Rows) -> None:
    kql = r'AppEvents | project tolower(trim(@"\s+", tostring(Properties.t)))'
    assert ask([{"t": " \n\tTry  Again\r\n "}], kql).item() == "try  again"


def test_a_left_outer_join_that_finds_nothing_gives_no_numbers_and_empty_texts(ask: Rows) -> None:
    kql = """
        let right = AppEvents | where Name == "none" | project Name, n = 1, s = "x";
        AppEvents | project Name | join kind=leftouter right on Name
        | project n, s, isempty(s), s == "success", coalesce(n, 0)"""
    assert ask([{}], kql).row(0) == (None, "", True, False, 0)


def test_a_set_holds_each_text_once_and_can_be_sorted(ask: Rows) -> None:
    kql = "AppEvents | summarize s = make_set(tostring(Properties.t)) | project tostring(array_sort_asc(s))"
    assert orjson.loads(ask([{"t": t} for t in ("b", 'a"', "b", "[1]x")], kql).item()) == ["[1]x", 'a"', "b"]


def test_the_sum_of_nothing_is_zero_and_nulls_are_left_out(ask: Rows) -> None:
    kql = """
        AppEvents
        | extend n = tolong(Properties.n), g = tostring(Properties.g)
        | summarize sum(n), countif(isnotnull(n)), count() by g"""
    rows = ask([{"g": "a"}, {"g": "b", "n": 2}, {"g": "b"}], kql).sort("g").rows()
    assert rows == [("a", 0, 0, 1), ("b", 2, 1, 2)]
