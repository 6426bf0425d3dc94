import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from time import monotonic
from typing import Any

import polars as pl
import pytest

from sft_pipeline.clients.kusto.cluster import ClusterKusto, write_batches
from sft_pipeline.clients.kusto.connecting import ServicePrincipal
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.kusto.failures import Kind, KustoQueryFailed, ServiceFailure
from sft_pipeline.clients.kusto.parameters import ParameterValue, kql_literal
from sft_pipeline.clients.kusto.retries import Retries
from sft_pipeline.clients.queries.catalog import Query, query_from_file
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import RAW_SCHEMA, write_events
from sft_pipeline_tests.clients.kusto.fixed_answers import END, Cluster, Frame, cluster, frames

TIME = datetime(2026, 10, 20, 1, 2, 3, 456789, tzinfo=UTC)
ASKED = Query("test/asked", "test/asked.kql", "print 1", "0", {"t": "datetime", "n": "long"}, {"n": "1"})
AT_ONCE = Retries(attempts=3, first_seconds=0.001)
ONE_OF_EACH = {
    "s": "string",
    "l": "long",
    "i": "int",
    "r": "real",
    "b": "bool",
    "t": "datetime",
    "d": "dynamic",
    "g": "guid",
}
GUID = "74be27de-1e4e-49d9-b579-fe0b331d3642"


@pytest.fixture
def there() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture
def kusto(there: Cluster) -> Iterator[ClusterKusto]:
    client = ClusterKusto(there.url, "telemetry", auth="none", retries=AT_ONCE)
    yield client
    client.close()


def one_api_error(*, permanent: bool) -> dict[str, Any]:
    error = {"code": "LimitsExceeded", "message": "short", "@message": "too large (E_QUERY)", "@permanent": permanent}
    return {"error": error}


def failure(kusto: ClusterKusto) -> KustoQueryFailed:
    with pytest.raises(KustoQueryFailed) as raised:
        kusto.execute(ASKED, {"t": TIME})
    assert raised.value.query == "test/asked"
    assert "[SHA-256 of the query: 0]" in str(raised.value) or not raised.value.permanent
    return raised.value


def test_parameters_go_beside_the_query_as_literals(there: Cluster, kusto: ClusterKusto) -> None:
    there.answer(frames({"n": "long"}, [[1]]))
    kusto.execute(ASKED, {"t": datetime(2026, 10, 20, 2, tzinfo=timezone(timedelta(hours=2))), "n": 7})
    asked = there.requests[0]
    assert (asked["db"], asked["csl"]) == ("telemetry", ASKED.text)
    assert json.loads(asked["properties"]) == {
        "Options": {"servertimeout": "0:30:00", "notruncation": True},
        "Parameters": {"t": "datetime(2026-10-20T00:00:00.000000Z)", "n": "long(7)"},
    }


def test_requests_can_be_told_apart_on_the_cluster(there: Cluster, kusto: ClusterKusto) -> None:
    there.answer(frames({"n": "long"}, [[1]]))
    for _ in range(2):
        kusto.execute(ASKED, {"t": TIME})
    ids = [headers["x-ms-client-request-id"] for headers in there.headers]
    assert {headers["x-ms-app"] for headers in there.headers} == {"sft_pipeline"}
    assert all(identity.startswith("sft_pipeline;asked.kql;") for identity in ids)
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("value", "kind", "literal"),
    [
        (TIME, "datetime", "datetime(2026-10-20T01:02:03.456789Z)"),
        (3, "long", "long(3)"),
        (-3, "int", "int(-3)"),
        (0.1, "real", "real(0.1)"),
        (float("nan"), "real", "real(nan)"),
        (True, "bool", "true"),
        ('a "b" \\ \n é😀', "string", '"a \\"b\\" \\\\ \\n é😀"'),
    ],
)
def test_a_literal_says_its_value_and_type(value: ParameterValue, kind: str, literal: str) -> None:
    assert kql_literal(value, kind) == literal


def test_a_parameter_that_is_not_declared_never_leaves(there: Cluster, kusto: ClusterKusto) -> None:
    with pytest.raises(Refused, match="declares no parameter x"):
        kusto.execute(ASKED, {"t": TIME, "x": 1})
    assert there.requests == []


def test_columns_have_the_types_that_kusto_says(there: Cluster, kusto: ClusterKusto) -> None:
    row = ["x", 2**62, 1, 1.5, True, "2026-10-20T01:02:03.4567891Z", {"a": [1, "é"]}, GUID]
    nulls = [None, None, None, "NaN", None, None, None, None]
    text = ["", 0, 0, "-Infinity", 0, "2026-10-20T01:02:03Z", '{"b": 1}', GUID]
    there.answer(frames(ONE_OF_EACH, [row, nulls, text]))
    rows = kusto.execute(ASKED, {"t": TIME})
    assert rows.row(0) == ("x", 2**62, 1, 1.5, True, TIME, '{"a":[1,"é"]}', GUID)
    assert rows.select(pl.exclude("r")).row(1) == ("", None, None, None, None, None, None)
    assert rows["r"].is_nan().to_list() == [False, True, False]
    assert rows.row(2) == ("", 0, 0, float("-inf"), False, TIME.replace(microsecond=0), '{"b": 1}', GUID)


def test_a_cluster_and_the_embedded_engine_answer_with_the_same_types(
    there: Cluster, kusto: ClusterKusto, tmp_path: Path
) -> None:
    there.answer(frames(ONE_OF_EACH, [["x", 1, 1, 1.5, True, "2026-10-20T01:02:03.456789Z", {"a": 1}, GUID]]))
    told = kusto.execute(ASKED, {"t": TIME})
    write_events(RAW_SCHEMA.to_frame().clear(n=1).with_columns(TimeGenerated=TIME), tmp_path, part=0)
    (tmp_path / "q.kql").write_text(
        'print s = "x", l = long(1), i = int(1), r = real(1.5), b = true, t = datetime(2026-10-20T01:02:03.456789Z),'
        f' d = parse_json("{{\\"a\\":1}}"), g = guid({GUID})'
    )
    embedded = EmbeddedKusto(tmp_path, store=tmp_path / "store").execute(query_from_file(tmp_path / "q.kql"), {})
    assert embedded.equals(told)
    assert embedded.schema == told.schema


def test_an_empty_answer_has_its_columns(there: Cluster, kusto: ClusterKusto) -> None:
    there.answer(frames(ONE_OF_EACH, []))
    rows = kusto.execute(ASKED, {"t": TIME})
    assert rows.is_empty()
    assert rows.columns == list(ONE_OF_EACH)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ({**END, "HasErrors": True}, "failed while it answered"),
        ({**END, "Cancelled": True}, "cancelled while it answered"),
        (None, "has no end"),
    ],
)
def test_an_answer_that_is_not_whole_is_discarded(
    there: Cluster, kusto: ClusterKusto, end: Frame | None, told: str
) -> None:
    there.answer(frames({"n": "long"}, [[1]], end=end))
    failed = failure(kusto)
    assert told in str(failed)
    assert not failed.permanent


def test_errors_among_the_rows_discard_them(there: Cluster, kusto: ClusterKusto) -> None:
    errors = {"OneApiErrors": [one_api_error(permanent=True)]}
    there.answer(frames({"n": "long"}, [[1], errors], end={**END, "HasErrors": True}))
    failed = failure(kusto)
    assert failed.message.startswith("LimitsExceeded: too large (E_QUERY)")
    assert failed.permanent


def test_errors_that_the_status_table_reports_discard_the_rows(there: Cluster, kusto: ClusterKusto) -> None:
    answer = frames({"n": "long"}, [[1]])
    status = {
        "FrameType": "DataTable",
        "TableKind": "QueryCompletionInformation",
        "TableName": "QueryCompletionInformation",
        "Columns": [{"ColumnName": name, "ColumnType": "string"} for name in ("ClientRequestId", "Level", "Payload")],
        "Rows": [["id", 2, "row secret"]],
    }
    there.answer([*answer[:2], status, answer[2]])
    failed = failure(kusto)
    assert "reports an error beside the answer" in str(failed)
    assert "secret" not in str(failed)


def test_two_tables_are_not_one_answer(there: Cluster, kusto: ClusterKusto) -> None:
    answer = frames({"n": "long"}, [[1]])
    there.answer([answer[1], *answer])
    assert "more than one table" in str(failure(kusto))


def test_a_column_of_a_type_that_is_not_read_is_named(there: Cluster, kusto: ClusterKusto) -> None:
    there.answer(frames({"n": "long", "span": "timespan"}, [[1, "00:00:01"]]))
    assert "columns span" in str(failure(kusto))


@pytest.mark.parametrize("permanent", [True, False])
def test_an_error_of_the_service_is_told_with_its_code(there: Cluster, kusto: ClusterKusto, *, permanent: bool) -> None:
    there.status = 400
    there.body = json.dumps(one_api_error(permanent=permanent)).encode()
    failed = failure(kusto)
    assert failed.message.startswith("LimitsExceeded: too large (E_QUERY)")
    assert failed.permanent == permanent
    assert len(there.requests) == (1 if permanent else AT_ONCE.attempts)


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (429, "throttled", "transient"),
        (503, "HTTP status 503", "transient"),
        (504, "timed out", "too_large"),
        (403, "HTTP status 403", "permanent"),
        (302, "HTTP status 302", "permanent"),
        (401, "HTTP status 401", "permanent"),
    ],
)
def test_a_failure_without_words_is_told_by_its_status(
    there: Cluster, kusto: ClusterKusto, status: int, told: str, kind: Kind
) -> None:
    there.status, there.body = status, b"<html>down, secret row</html>"
    failed = failure(kusto)
    assert told in failed.message
    assert "secret" not in str(failed)
    assert failed.kind == kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Query result set has exceeded the limits (E_QUERY_RESULT_SET_TOO_LARGE)", "too_large"),
        ("Query execution lacks memory resources to complete (80DA0007)", "too_large"),
        ("Runaway query (E_RUNAWAY_QUERY). [0]Query execution has exceeded the allowed limits", "too_large"),
        ("Request timed out", "too_large"),
        ("The query was aborted due to throttling. Retrying after some backoff might help", "transient"),
        ("Semantic error: SEM0100: no column named 'x'", "permanent"),
    ],
)
def test_a_limit_is_no_defect_of_the_query_even_where_the_service_calls_it_permanent(
    there: Cluster, kusto: ClusterKusto, words: str, kind: Kind
) -> None:
    there.status = 400
    there.body = json.dumps({"error": {"code": "c", "message": "m", "@message": words, "@permanent": True}}).encode()
    assert failure(kusto).kind == kind


def test_an_error_names_the_line_of_the_query_file(there: Cluster, kusto: ClusterKusto) -> None:
    words = "Semantic error: SEM0100: no column named 'x' [line:position=12:5]\n\nQuery: secret"
    there.status = 400
    there.body = json.dumps({"error": {"code": "c", "message": "m", "@message": words, "@permanent": True}}).encode()
    told = str(failure(kusto))
    assert "no column named 'x'" in told
    assert "(test/asked.kql, line 12)" in told
    assert "secret" not in told


def test_what_may_pass_is_asked_again_and_waits_as_long_as_the_service_asks(there: Cluster) -> None:
    there.failing_first = [(503, {}), (429, {"Retry-After": "0.2"})]
    there.answer(frames({"n": "long"}, [[1]]))
    client = ClusterKusto(there.url, "telemetry", auth="none", retries=AT_ONCE)
    started = monotonic()
    assert client.execute(ASKED, {"t": TIME}).item() == 1
    assert monotonic() - started >= 0.2
    assert len(there.requests) == 3
    assert client.slots.limit == 2
    client.close()


def test_a_cluster_that_is_not_there_may_come_back() -> None:
    client = ClusterKusto("http://127.0.0.1:9", "telemetry", auth="none", retries=AT_ONCE)
    failed = failure(client)
    client.close()
    assert "cannot be reached" in failed.message
    assert not failed.permanent


@pytest.mark.parametrize("auth", ["az_cli", "managed_identity", "device"])
def test_signing_in_waits_until_a_query_is_run(auth: str) -> None:
    client = ClusterKusto("https://help.kusto.windows.net", "Samples", auth=auth)
    client.close()
    assert (client.cluster, client.database) == ("https://help.kusto.windows.net", "Samples")


def test_a_service_principal_is_never_shown() -> None:
    credentials = ServicePrincipal("id", "hunter2", "tenant")
    ClusterKusto("https://help.kusto.windows.net", "Samples", auth="service_principal", credentials=credentials).close()
    assert "hunter2" not in repr(credentials)


@pytest.mark.parametrize("auth", ["kerberos", "none", "service_principal"])
def test_a_way_to_sign_in_that_cannot_work_is_refused(auth: str) -> None:
    with pytest.raises(Refused, match=f"cannot sign in to https://help.kusto.windows.net by '{auth}'"):
        ClusterKusto("https://help.kusto.windows.net", "Samples", auth=auth)


def test_the_client_is_not_less_patient_than_the_server() -> None:
    with pytest.raises(Refused, match="would wait 60 s"):
        ClusterKusto("http://127.0.0.1", "db", auth="none", client_timeout_seconds=60)


def test_the_client_waits_as_long_as_it_is_told_to(there: Cluster) -> None:
    there.answer(frames({"n": "long"}, [[1]]))
    there.seconds = 1.3
    for patience, height in ((1, None), (2, 1)):
        client = ClusterKusto(
            there.url, "telemetry", auth="none", server_timeout_seconds=1, client_timeout_seconds=patience
        )
        if height:
            assert client.execute(ASKED, {"t": TIME}).height == height
        else:
            assert "the client waited no longer" in failure(client).message
        client.close()


def test_the_fingerprint_of_a_cluster_is_its_identity() -> None:
    one, same, other = (ClusterKusto("http://127.0.0.1", name, auth="none") for name in ("a", "a", "b"))
    for client in (one, same, other):
        client.close()
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_a_request_tells_its_chunk_and_window(there: Cluster, kusto: ClusterKusto) -> None:
    kinds = {"windowStart": "datetime", "windowEnd": "datetime", "chunk": "long", "chunkCount": "long"}
    there.answer(frames({"n": "long"}, [[1]]))
    parameters = {"windowStart": TIME - timedelta(days=15), "windowEnd": TIME, "chunk": 7, "chunkCount": 40}
    kusto.execute(Query("a/b", "a/b.kql", "print 1", "0", kinds), parameters)
    told = there.headers[0]["x-ms-client-request-id"]
    assert told.startswith("sft_pipeline;b.kql;chunk=7-of-40;window=2026-10-05T0102_2026-10-20T0102;")


def test_an_answer_is_saved_as_it_would_be_executed(there: Cluster, kusto: ClusterKusto, tmp_path: Path) -> None:
    rows = [[f"x{number}", number, 1, 1.5, True, "2026-10-20T01:02:03Z", {"a": 1}, GUID] for number in range(50)]
    there.answer(frames(ONE_OF_EACH, rows))
    (tmp_path / "a.parquet").write_bytes(b"something longer that was there before" * 10_000)
    assert kusto.save(ASKED, {"t": TIME}, tmp_path / "a.parquet").rows == 50
    executed = kusto.execute(ASKED, {"t": TIME})
    assert pl.read_parquet(tmp_path / "a.parquet").equals(executed)
    assert pl.read_parquet(kusto.save(ASKED, {"t": TIME}).content).equals(executed)


def test_an_empty_answer_is_saved_with_its_columns(there: Cluster, kusto: ClusterKusto) -> None:
    there.answer(frames(ONE_OF_EACH, []))
    saved = kusto.save(ASKED, {"t": TIME})
    assert saved.rows == 0
    assert pl.read_parquet(saved.content).schema == kusto.execute(ASKED, {"t": TIME}).schema


def test_values_that_are_not_of_their_column_discard_the_answer_untold(there: Cluster, kusto: ClusterKusto) -> None:
    there.answer(frames({"n": "long", "s": "string"}, [[1, "x"], ["secret", "y"]]))
    failed = failure(kusto)
    assert "n:long, s:string" in failed.message
    assert "secret" not in str(failed)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_for_good_is_not_asked_again_when_its_words_do_not_say_so(
    there: Cluster, kusto: ClusterKusto, status: int
) -> None:
    there.status, there.body = status, b'{"error": {"code": "InsufficientAccessError", "message": "no access"}}'
    assert failure(kusto).kind == "permanent"
    assert len(there.requests) == (2 if status == 401 else 1)


def test_a_name_in_a_semantic_error_says_nothing_of_limits(there: Cluster, kusto: ClusterKusto) -> None:
    words = "Semantic error: SEM0100: Failed to resolve column named 'timeout'"
    there.status = 400
    there.body = json.dumps({"error": {"code": "c", "message": "m", "@message": words, "@permanent": True}}).encode()
    assert failure(kusto).kind == "permanent"


def test_who_asked_is_not_told(there: Cluster, kusto: ClusterKusto) -> None:
    words = "Principal 'aaduser=0a1b;72f9' (ada@example.com) is not authorized to read database 'telemetry'"
    there.status = 403
    there.body = json.dumps({"error": {"code": "Forbidden", "message": words}}).encode()
    told = str(failure(kusto))
    assert "is not authorized to read database" in told
    assert "0a1b" not in told
    assert "ada@" not in told


def test_a_failure_after_large_rows_is_told_while_they_are_written() -> None:
    rows = pl.DataFrame({"text": ["".join(chr(97 + (n * m) % 26) for m in range(500)) for n in range(2_000)]})

    def broken() -> Iterator[pl.DataFrame]:
        yield rows
        yield rows
        raise ServiceFailure("the connection broke")

    for _ in range(10):
        with pytest.raises(ServiceFailure, match="the connection broke"):
            write_batches(broken(), None)
