import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.kusto.embedded import EmbeddedKusto, translated
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.kusto.parameters import ParameterValue
from sft_pipeline.clients.kusto.protocol import Kusto
from sft_pipeline.clients.queries.catalog import Query, load_query, query_from_file
from sft_pipeline.curation.hashing import chunk_of, priority_of
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import KUSTO_SCHEMA, MESSAGE_TEXT, write_events
from sft_pipeline_tests.cases.event import Event
from sft_pipeline_tests.scenario import raw_events

START = datetime(2026, 10, 20, tzinfo=UTC)
END = datetime(2026, 10, 22, tzinfo=UTC)
WINDOW: dict[str, ParameterValue] = {"windowStart": START, "windowEnd": END}
CHUNKED = """
declare query_parameters(chunk:long=0, chunkCount:long=1);
AppEvents
| extend conversationId = tostring(Properties.conversationId)
| extend digest = hash_sha256(RULE)
| extend digest = strcat("0x", substring(digest, 0, 8))
| where tolong(digest) % chunkCount == chunk
| project conversationId
"""
BUCKETS = [*[(3, n) for n in range(45)], *[(6, n) for n in range(43)], *[(11, n) for n in range(22)]]


def conversation(name: str, turns: int) -> Iterator[Event]:
    """User messages of an agent conversation, a minute apart."""
    for turn in range(turns):
        shared: dict[str, str | None] = {"conversationId": name, "messageId": f"{name}-{turn}", "mode": "agent"}
        text = {"source": "user", "turnIndex": str(turn), "messageText": f"do {turn}", "common.userName": "ann"}
        yield Event(START + timedelta(minutes=turn), MESSAGE_TEXT, {**shared, **text}, {})


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """110 candidates, more of each bucket than a test query takes, and one event without a conversation."""
    folder = tmp_path_factory.mktemp("telemetry")
    stray = Event(START, "other/event", {}, {})
    events = raw_events([stray, *(event for turns, n in BUCKETS for event in conversation(f"{turns}-{n}", turns))])
    write_events(events, folder, part=0)
    return folder


@pytest.fixture(scope="module")
def kusto(telemetry: Path) -> Kusto:
    return EmbeddedKusto(telemetry, store=telemetry / "store", staged_chunks=4)


@pytest.fixture
def ask(kusto: Kusto, tmp_path: Path) -> "Ask":
    return Ask(kusto, tmp_path)


class Ask:
    """Runs KQL text."""

    def __init__(self, kusto: Kusto, folder: Path) -> None:
        self.kusto = kusto
        self.folder = folder

    def query(self, text: str) -> Query:
        (self.folder / "asked.kql").write_text(text)
        return query_from_file(self.folder / "asked.kql")

    def __call__(self, text: str, **parameters: ParameterValue) -> pl.DataFrame:
        return self.kusto.execute(self.query(text), parameters)


def test_the_table_has_every_column_with_its_type(ask: Ask) -> None:
    kinds = {
        "datetime": pl.Datetime("us", "UTC"),
        "string": pl.String(),
        "dynamic": pl.String(),
        "int": pl.Int32(),
        "real": pl.Float64(),
    }
    assert ask("AppEvents | take 1").schema == {name: kinds[kind] for name, kind in KUSTO_SCHEMA.items()}


def test_results_have_the_types_of_kusto(ask: Ask) -> None:
    rows = ask(
        'print s = "x", l = long(1), i = int(1), r = real(1.5), b = true, t = datetime(2026-10-20T01:02:03.456789Z),'
        ' d = parse_json("{\\"a\\":[1,2]}"), g = guid(74be27de-1e4e-49d9-b579-fe0b331d3642)'
    )
    assert rows.schema == {
        "s": pl.String(),
        "l": pl.Int64(),
        "i": pl.Int32(),
        "r": pl.Float64(),
        "b": pl.Boolean(),
        "t": pl.Datetime("us", "UTC"),
        "d": pl.String(),
        "g": pl.String(),
    }
    time = datetime(2026, 10, 20, 1, 2, 3, 456789, tzinfo=UTC)
    assert rows.row(0) == ("x", 1, 1, 1.5, True, time, '{"a":[1,2]}', "74be27de-1e4e-49d9-b579-fe0b331d3642")


def test_lists_are_told_as_json_text_and_sums_as_longs(ask: Ask) -> None:
    rows = ask(
        "AppEvents | summarize n = sum(ItemCount), l = make_list(ItemCount), b = make_list(bag_pack('a', ItemCount))"
    )
    assert rows.schema == {"n": pl.Int64(), "l": pl.String(), "b": pl.String()}
    assert str(rows["l"][0]).startswith("[1,1,")
    assert str(rows["b"][0]).startswith('[{"a":1},{"a":1}')


def test_a_missing_string_is_the_empty_text(ask: Ask) -> None:
    rows = ask(
        "AppEvents | summarize by ClientOS, nothing = tostring(Properties.nothing), number = tolong(Properties.x)"
    )
    assert rows.rows() == [("", "", None)]


def test_parameters_are_bound_and_not_spliced(ask: Ask) -> None:
    text = "declare query_parameters(s:string, t:datetime, n:long=7, r:real=0.5, b:bool=true); print s, t, n, r, b"
    injected = 'x\'; drop table "AppEvents" | \\ ` $kqlp0'
    assert ask(text, s=injected, t=START.replace(tzinfo=None)).row(0) == (injected, START, 7, 0.5, True)


def test_a_parameter_need_not_be_used(ask: Ask) -> None:
    assert (
        ask("declare query_parameters(used:long, unused:string, other:long=1); print used", used=1, unused="x").item()
        == 1
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"t": START, "secret": 1}, "declares no parameter secret"),
        ({}, "needs a value for t"),
        ({"t": "xyzzy"}, "a value of another type for t"),
        ({"t": START, "n": True}, "a value of another type for n"),
        ({"t": START, "n": 1.5}, "a value of another type for n"),
    ],
)
def test_odd_parameters_are_refused_without_their_values(ask: Ask, given: dict[str, ParameterValue], told: str) -> None:
    with pytest.raises(Refused, match=told) as refusal:
        ask("declare query_parameters(t:datetime, n:long=1); print t, n", **given)
    assert "t:datetime, n:long" in refusal.value.remedy
    assert "xyzzy" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "AppEvents | whereever",
        "Nowhere | take 1",
        "AppEvents | where Nam == 'x'",
        "print hash('x')",
        "print span = 1d",
        ".drop table AppEvents",
        ".set-or-replace AppEvents <| print x = 1",
    ],
)
def test_what_the_engine_refuses_fails_with_the_name_of_the_query(ask: Ask, text: str) -> None:
    with pytest.raises(KustoQueryFailed, match="query asked failed: ") as failure:
        ask(text)
    assert (failure.value.query, failure.value.permanent) == ("asked", True)
    assert "\n" not in failure.value.what


def test_an_error_over_rows_does_not_quote_them(ask: Ask) -> None:
    with pytest.raises(KustoQueryFailed) as failure:
        ask("AppEvents | project n = strlen(Name) * 7 + 1 | project s = tostring(totimespan(n))")
    assert failure.value.what == "query asked failed: InvalidInputException while it ran"


def test_the_window_includes_its_start_and_excludes_its_end(kusto: Kusto) -> None:
    query = load_query("sft_candidates_hash_chunked")
    first = {**WINDOW, "chunkCount": 1, "windowEnd": START + timedelta(minutes=1)}
    assert kusto.execute(query, first)["turnCount"].to_list() == [1] * len(BUCKETS)
    later = {**WINDOW, "chunkCount": 1, "windowStart": START + timedelta(minutes=1)}
    assert set(kusto.execute(query, later)["dropReason"]) == {"head_missing"}


@pytest.mark.parametrize("count", [2, 3, 8])
def test_chunks_are_disjoint_and_together_all(kusto: Kusto, count: int) -> None:
    query = load_query("sft_candidates_hash_chunked")
    chunks = [kusto.execute(query, {**WINDOW, "chunk": n, "chunkCount": count})["conversationId"] for n in range(count)]
    assert sorted(pl.concat(chunks)) == sorted(f"{turns}-{n}" for turns, n in BUCKETS)
    assert all(chunk_of(name, count) == n for n, names in enumerate(chunks) for name in names)


def copied(telemetry: Path, folder: Path) -> tuple[Path, Kusto]:
    """A copy of telemetry and its staging."""
    shutil.copytree(telemetry, folder)
    kusto = EmbeddedKusto(folder, store=folder / "store", staged_chunks=4)
    return next((folder / "store").glob("*-4-*")), kusto


def test_a_chunk_is_read_from_its_own_files_alone(telemetry: Path, ask: Ask, tmp_path: Path) -> None:
    whole = ask(CHUNKED.replace("RULE", 'strcat("chunk:", conversationId)'), chunk=2, chunkCount=4)
    staging, kusto = copied(telemetry, tmp_path / "copy")
    for part in (0, 1, 3):
        shutil.rmtree(staging / "00000" / f"chunk={part}")
    rows = Ask(kusto, tmp_path)(CHUNKED.replace("RULE", 'strcat("chunk:", conversationId)'), chunk=2, chunkCount=4)
    assert sorted(rows["conversationId"]) == sorted(whole["conversationId"])


def test_a_query_that_tells_chunks_another_way_sees_all_events(ask: Ask) -> None:
    rule = 'strcat("other:", conversationId)'
    ids = [
        ask(CHUNKED.replace("RULE", rule), chunk=chunk, chunkCount=4)["conversationId"].unique() for chunk in range(4)
    ]
    assert sorted(pl.concat(ids)) == sorted({"", *(f"{turns}-{n}" for turns, n in BUCKETS)})
    assert any(chunk_of(name, 4) != chunk for chunk, names in enumerate(ids) for name in names)


@pytest.mark.parametrize(("chunk", "count"), [(-1, 4), (4, 4), (0, 0)])
def test_a_chunk_that_does_not_exist_is_empty(ask: Ask, chunk: int, count: int) -> None:
    assert ask(CHUNKED.replace("RULE", 'strcat("chunk:", conversationId)'), chunk=chunk, chunkCount=count).is_empty()


def test_a_query_without_a_chunk_sees_all_events(ask: Ask) -> None:
    assert ask("AppEvents | count").item() == 1 + sum(turns for turns, _ in BUCKETS)
    assert ask("AppEvents | where Name == 'other/event' | count").item() == 1


def test_the_answer_is_the_same_with_any_number_of_threads(telemetry: Path, kusto: Kusto) -> None:
    query = load_query("sft_candidates_hash_chunked")
    single = EmbeddedKusto(telemetry, store=telemetry / "store", staged_chunks=4, threads=1)
    one, other = (
        engine.execute(query, {**WINDOW, "chunkCount": 1}).drop("turnsArray").sort("conversationId")
        for engine in (single, kusto)
    )
    assert one.equals(other)


def test_new_events_are_seen_by_a_client_that_is_already_there(telemetry: Path, tmp_path: Path) -> None:
    _, kusto = copied(telemetry, tmp_path / "copy")
    before = kusto.fingerprint()
    write_events(raw_events(conversation("new", 3)), tmp_path / "copy", part=1)
    query = load_query("sft_candidates_hash_chunked")
    assert "new" in kusto.execute(query, {**WINDOW, "chunkCount": 1})["conversationId"].to_list()
    assert kusto.fingerprint() != before


def test_no_telemetry_is_refused(tmp_path: Path) -> None:
    kusto = EmbeddedKusto(tmp_path, store=tmp_path / "store")
    with pytest.raises(Refused, match="AppEvents"):
        kusto.execute(load_query("sft_candidates_hash_chunked"), WINDOW)
    with pytest.raises(Refused, match="AppEvents"):
        kusto.fingerprint()


@pytest.mark.parametrize("name", ["sft_test_100", "sft_test_100_with_trajectory", "sft_test_100_lite"])
def test_a_test_query_takes_the_lowest_digests_of_each_bucket(kusto: Kusto, name: str) -> None:
    rows = kusto.execute(load_query(name), WINDOW)
    for turns, size in ((3, 40), (6, 40), (11, 20)):
        names = [f"{turns}-{n}" for bucket, n in BUCKETS if bucket == turns]
        by_digest = sorted(names, key=lambda name: sha256(f"sample:test:{name}".encode()).hexdigest())
        assert sorted(by_digest[:size]) == sorted(rows.filter(turnCount=turns)["conversationId"])
        assert by_digest == sorted(names, key=lambda name: priority_of(name, salt="test"))


def test_the_test_queries_differ_in_how_much_of_the_turns_they_show(kusto: Kusto) -> None:
    lite, turns, trajectory = (
        kusto.execute(load_query(name), WINDOW)
        for name in ("sft_test_100_lite", "sft_test_100", "sft_test_100_with_trajectory")
    )
    assert lite.height == 100
    assert turns.columns == trajectory.columns == [*lite.columns, "turnsArray"]
    assert turns.drop("turnsArray").equals(lite)
    assert ["llmCalls" in str(frame["turnsArray"][0]) for frame in (turns, trajectory)] == [False, True]


def test_test_queries_look_at_the_last_day_when_no_window_is_given(kusto: Kusto) -> None:
    assert kusto.execute(load_query("sft_test_100_lite"), {}).is_empty()


def test_a_chunk_without_any_event_is_empty(tmp_path: Path) -> None:
    write_events(raw_events(conversation("only", 3)), tmp_path, part=0)
    kusto = EmbeddedKusto(tmp_path, store=tmp_path / "store")
    home = chunk_of("only", 40)
    query = load_query("sft_candidates_hash_chunked")
    chunks = [kusto.execute(query, {**WINDOW, "chunk": chunk}) for chunk in (home, (home + 1) % 40)]
    assert [rows.height for rows in chunks] == [1, 0]
    assert chunks[0].schema == chunks[1].schema


def test_properties_are_taken_out_as_text_at_once() -> None:
    """Else every query still gives the same rows, but parses each property twice: the engine's SQL has changed."""
    translation, _ = translated(load_query("production/sft_candidates_hash_chunked"), {})
    assert "json_extract_string(" in translation
