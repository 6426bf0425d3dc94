"""Loading the hand-written world: the commands give back the events that went in, wherever their KQL is read."""

import json
from pathlib import Path

import duckdb
import duckdb_kql
import orjson
import polars as pl
import pytest
from azure.kusto.data import KustoClient

from sft_pipeline.clients.kusto.connecting import connection
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import KUSTO_SCHEMA, RAW_SCHEMA, TABLE
from sft_pipeline_tests.live.empty_database import Database, database
from sft_pipeline_tests.live.loading import ROWS_AT_ONCE, append_events, create_table, events_as_table, load
from sft_pipeline_tests.queries.parser import needs_parser, parsed
from sft_pipeline_tests.scenario import world_events


def hard_events() -> pl.DataFrame:
    """Events whose texts hold what literals are made of."""
    some = world_events().head(6)
    texts = ['"', "\\", "\\n\n\t\r", "]\n] | //", "é\u2028\U0001f600\u200b", "'a' \"b\" {c}"]
    bags = pl.Series([orjson.dumps({"text": text}).decode() for text in texts])
    return some.with_columns(UserId=pl.Series(texts), Properties=bags)


def read_back(query: str) -> pl.DataFrame:
    sql = str(duckdb_kql.to_sql(query, schema={TABLE: list(KUSTO_SCHEMA)}))
    with duckdb.connect() as connection:
        frame = pl.DataFrame(connection.sql(sql).to_arrow_table())
    assert frame.columns == list(KUSTO_SCHEMA)
    return frame.with_columns(pl.col("TimeGenerated").dt.replace_time_zone("UTC")).match_to_schema(
        RAW_SCHEMA, extra_columns="ignore"
    )


def test_every_event_is_in_one_command() -> None:
    commands = list(append_events(world_events()))
    assert len(commands) == -(-world_events().height // ROWS_AT_ONCE)
    assert sum(command.count("datetime(") for command in commands) == world_events().height


def test_events_are_read_back_as_they_were() -> None:
    some = world_events().gather_every(13)
    assert read_back(events_as_table(some)).equals(some)


def test_texts_of_quotes_brackets_and_line_breaks_are_read_back_as_they_were() -> None:
    assert read_back(events_as_table(hard_events())).equals(hard_events())


@needs_parser
def test_the_commands_are_valid_and_give_the_columns_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "append.kql").write_text(next(append_events(hard_events())))
    (tmp_path / "create.kql").write_text(create_table())
    (tmp_path / "query.kql").write_text(events_as_table(hard_events()))
    told = parsed("--schema", tmp_path)
    assert told.returncode == 0, told.stdout
    assert json.loads(told.stdout.splitlines()[-1])["columns"] == KUSTO_SCHEMA


def rows_of(command: str) -> int:
    return read_back(command.removeprefix(f".set-or-append {TABLE} <|\n")).height


def loaded(there: Database, events: pl.DataFrame) -> None:
    with KustoClient(connection(there.url, "none", None)) as client:
        load(client, "telemetry", events)


@pytest.mark.parametrize("rows", [None, 0])
def test_a_database_without_events_is_given_the_table_and_then_all_events(rows: int | None) -> None:
    with database(rows, rows_of) as there:
        loaded(there, hard_events())
    assert there.commands == [create_table(), *append_events(hard_events())]
    assert there.rows == hard_events().height


def test_a_database_that_holds_these_events_is_left_as_it_is() -> None:
    with database(hard_events().height, rows_of) as there:
        loaded(there, hard_events())
    assert there.commands == []


def test_a_database_that_holds_other_events_is_refused_and_not_touched() -> None:
    with database(1_000_000, rows_of) as there, pytest.raises(Refused, match="holds 1000000 events where"):
        loaded(there, hard_events())
    assert there.commands == []


def test_events_that_got_lost_on_the_way_are_noticed() -> None:
    with database(None, lambda command: rows_of(command) - 1) as there, pytest.raises(Refused, match="holds 5 events"):
        loaded(there, hard_events())
