"""The stand-in as the real client of the service sees it: answers, protocols, errors, the journal."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.exceptions import KustoApiError
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.kusto.parameters import ParameterValue, kql_literal
from sft_pipeline.clients.queries.catalog import Query, load_query, query_from_file
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START
from sft_pipeline_tests.stand_in import Answers, Service, stand_in
from sft_pipeline_tests.stand_in.asking import asked, frames
from sft_pipeline_tests.stand_in.literals import Value, value_of

NAMES = "AppEvents | project Name"
ONE_OF_EACH = (
    'print s = "é😀", l = long(9007199254740993), i = int(1), r = real(1.5), n = real(nan), b = true, z = long(null),'
    ' t = datetime(2026-10-20T01:02:03.456789Z), d = parse_json("{\\"a\\":[1,\\"x\\"]}"),'
    " g = guid(74be27de-1e4e-49d9-b579-fe0b331d3642)"
)


@pytest.fixture
def service(answers: Answers) -> Iterator[Service]:
    with stand_in(answers) as running:
        yield running


@given(st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.datetimes()))
def test_a_literal_gives_back_the_value_it_was_written_from(value: Value) -> None:
    kinds = {bool: "bool", int: "long", float: "real", str: "string", datetime: "datetime"}
    back = value_of(kql_literal(value, kinds[type(value)]))
    told = value.replace(tzinfo=UTC, fold=0) if isinstance(value, datetime) else value
    assert repr(back) == repr(told)


def test_the_client_reads_values_with_their_types(service: Service) -> None:
    row = asked(service, ONE_OF_EACH).primary_results[0][0].to_dict()
    assert (row["s"], row["l"], row["i"], row["r"], row["n"], row["b"]) == ("é😀", 2**53 + 1, 1, 1.5, "NaN", True)
    assert row["t"] == datetime(2026, 10, 20, 1, 2, 3, 456789, tzinfo=UTC)
    assert (row["d"], row["z"], row["g"]) == ({"a": [1, "x"]}, None, "74be27de-1e4e-49d9-b579-fe0b331d3642")


def test_dynamic_values_may_go_out_as_text(answers: Answers) -> None:
    with stand_in(answers, dynamic_as_text=True) as service:
        assert asked(service, ONE_OF_EACH).primary_results[0][0]["d"] == '{"a":[1,"x"]}'


def test_our_client_gets_what_the_embedded_engine_answers(engine: EmbeddedKusto, answers: Answers) -> None:
    query = load_query("sft_candidates_hash_chunked")
    window: dict[str, ParameterValue] = {"windowStart": WINDOW_START, "windowEnd": WINDOW_END}
    told = engine.execute(query, {**window, "chunk": 1, "chunkCount": 4})
    assert told.height > 5
    for fragmented in (False, True):
        with stand_in(answers, fragmented=fragmented, fragment_rows=4) as service:
            cluster = ClusterKusto(service.url, service.database, auth="none")
            rows = cluster.execute(query, {**window, "chunk": 1, "chunkCount": 4})
            cluster.close()
        assert rows.schema == told.schema
        assert in_order(rows).equals(in_order(told))


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows by id; of the turns, which are in no order, their size alone."""
    return rows.sort("conversationId").with_columns(pl.col("turnsArray").str.len_bytes())


def test_our_client_and_the_engine_agree_on_every_type(engine: EmbeddedKusto, service: Service, tmp_path: Path) -> None:
    path = tmp_path / "one.kql"
    path.write_text(ONE_OF_EACH, encoding="utf-8")
    query = query_from_file(path)
    cluster = ClusterKusto(service.url, service.database, auth="none")
    rows = cluster.execute(query, {})
    cluster.close()
    assert rows.schema == engine.execute(query, {}).schema
    assert rows.equals(engine.execute(query, {}), null_equal=True)


def test_the_same_question_is_computed_once(engine: EmbeddedKusto, tmp_path: Path) -> None:
    class Counting:
        database = "counting"
        runs = 0

        def execute(self, query: Query, parameters: Mapping[str, Value]) -> pl.DataFrame:
            self.runs += 1
            return engine.execute(query, parameters)

    counting = Counting()
    with stand_in(Answers(counting, tmp_path)) as service, ThreadPoolExecutor(3) as pool:
        wait([pool.submit(asked, service, f"{NAMES} | take 3") for _ in range(3)])
        assert counting.runs == 1
        asked(service, f"{NAMES} | take 2")
        assert counting.runs == 2


def test_streaming_and_the_path_of_a_proxy_work(service: Service) -> None:
    with KustoClient(KustoConnectionStringBuilder.with_no_authentication(service.workspace_url)) as client:
        streamed = client.execute_streaming_query(service.database, f"{NAMES} | take 3")
        assert [len(list(table)) for table in streamed.iter_primary_results()] == [3]
    assert next(iter(service.journal)).asked.path.startswith("/subscriptions/")


def test_frames_are_those_of_the_service(service: Service) -> None:
    told = frames(service, f"{NAMES} | take 3")
    assert [frame["FrameType"] for frame in told] == ["DataSetHeader", *["DataTable"] * 3, "DataSetCompletion"]
    kinds = [frame["TableKind"] for frame in told[1:4]]
    assert kinds == ["QueryProperties", "PrimaryResult", "QueryCompletionInformation"]
    assert told[-1] == {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}


def test_fragments_are_sent_to_who_asks_for_them(service: Service) -> None:
    told = frames(service, f"{NAMES} | take 250", results_v2_fragment_primary_tables=True)
    fragments = [frame for frame in told if frame["FrameType"] == "TableFragment"]
    assert [len(frame["Rows"]) for frame in fragments] == [100, 100, 50]
    assert {"FrameType": "TableCompletion", "TableId": 1, "RowCount": 250} in told
    assert told[0]["IsFragmented"]


def test_management_commands_tell_version_and_schema(service: Service) -> None:
    with KustoClient(KustoConnectionStringBuilder.with_no_authentication(service.url)) as client:
        assert client.execute_mgmt(service.database, ".show version").primary_results[0][0]["ServiceType"] == "Engine"
        tables = client.execute_mgmt(service.database, ".show tables").primary_results[0]
        assert [row["TableName"] for row in tables] == ["AppEvents"]
        schema = client.execute_mgmt(service.database, ".show table AppEvents cslschema").primary_results[0][0]
        assert schema["Schema"].startswith("TimeGenerated:datetime,Name:string,Properties:dynamic")
        for command in (".drop table AppEvents", ".show table Nowhere cslschema", ".nonsense"):
            with pytest.raises(KustoApiError) as raised:
                client.execute_mgmt(service.database, command)
            assert raised.value.get_api_error().permanent


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("AppEvents | project Nowhere", "SEM0100: 'project' operator: Failed to resolve column or scalar expression"),
        ("Nowhere | count", "SEM0100: 'table' operator: Failed to resolve table expression named 'Nowhere'"),
        ("AppEvents | wher x", "SYN0002"),
        ("declare query_parameters(n:long); print n", "no value for declared query parameter"),
    ],
)
def test_a_query_that_cannot_run_is_an_error_of_the_service(service: Service, text: str, told: str) -> None:
    with pytest.raises(KustoApiError, match=told) as raised:
        asked(service, text)
    assert raised.value.http_response is not None
    assert raised.value.http_response.status_code == 400
    assert raised.value.get_api_error().permanent


def test_another_database_is_not_found(service: Service) -> None:
    with (
        KustoClient(KustoConnectionStringBuilder.with_no_authentication(service.url)) as client,
        pytest.raises(KustoApiError, match="Entity ID 'other' of kind 'Database' was not found"),
    ):
        client.execute_query("other", "print 1")


def test_the_journal_tells_who_asked_what(service: Service) -> None:
    query = Query("test/asked", "asked.kql", "declare query_parameters(n:long); print n = n", "0", {"n": "long"})
    cluster = ClusterKusto(service.url, service.database, auth="none")
    assert cluster.execute(query, {"n": 7}).item() == 7
    cluster.close()
    [entry] = service.journal
    assert (entry.status, entry.fault, dict(entry.parameters)) == (200, None, {"n": 7})
    assert entry.asked.headers["x-ms-app"] == "sft_pipeline"
    assert entry.asked.request_id.startswith("sft_pipeline;asked")
