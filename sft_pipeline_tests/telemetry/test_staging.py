import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.curation.hashing import chunk_of
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import ENGINE_MESSAGES, MESSAGE_TEXT, RAW_SCHEMA, events_folder, write_events
from sft_pipeline.telemetry.staging import StagedStore, Staging
from sft_pipeline_tests.cases.event import Event
from sft_pipeline_tests.scenario import raw_events

CHUNKS = 4
START = datetime(2026, 10, 20, tzinfo=UTC)
STAGE = """
import sys
from pathlib import Path
from sft_pipeline.telemetry.staging import StagedStore
calls = []
progress = lambda *told: calls.append(told)
StagedStore(Path(sys.argv[1]), Path(sys.argv[2]), chunks=4, settings={}, progress=progress).staging()
print(len(calls))
"""


def some_events() -> pl.DataFrame:
    """Two kinds of events of twenty conversations on two days, and one of none."""
    times = [START + timedelta(hours=hour) for hour in range(40)]
    named = [(time, f"c{number % 20}") for number, time in enumerate(times)]
    return raw_events(
        Event(time, name, {"conversationId": conversation, "text": "it's é😀"}, {"n": 1})
        for time, conversation in (*named, (START, None))
        for name in (MESSAGE_TEXT, ENGINE_MESSAGES)
    )


@pytest.fixture
def telemetry(tmp_path: Path) -> Path:
    folder = tmp_path / "telemetry"
    write_events(some_events(), folder, part=0)
    return folder


def staged(telemetry: Path, *, progress: Callable[[int, int], None] | None = None) -> Staging:
    store = StagedStore(telemetry, telemetry.parent / "store", chunks=CHUNKS, settings={}, progress=progress)
    return store.staging()


def fingerprint(telemetry: Path) -> str:
    return StagedStore(telemetry, telemetry.parent / "store", chunks=CHUNKS, settings={}).fingerprint()


def rows(paths: list[Path]) -> pl.DataFrame:
    found = pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in paths)
    return found.with_columns(pl.col("Properties", "Measurements").cast(pl.String))


def test_every_event_is_staged_once_and_unchanged(telemetry: Path) -> None:
    staging = staged(telemetry)
    found = rows([path for event in (-1, 0, 1) for path in staging.files(event)])
    kept = found.with_columns(pl.col("TimeGenerated").dt.replace_time_zone("UTC")).select(RAW_SCHEMA.names())
    assert Counter(kept.rows()) == Counter(some_events().rows())


def test_every_event_lies_with_its_conversation_and_its_name(telemetry: Path) -> None:
    staging = staged(telemetry)
    for event, name in enumerate(staging.names):
        for chunk in range(CHUNKS):
            found = rows(staging.files(event, chunk, CHUNKS))
            ids = found["Properties"].str.json_path_match("$.conversationId").fill_null("")
            assert {chunk_of(conversation, CHUNKS) for conversation in ids} == {chunk}
            assert set(found["Name"]) == {name}


@given(st.integers(min_value=0, max_value=2**32 - 1), st.integers(1, 60), st.integers(1, 60))
def test_the_files_of_a_chunk_hold_every_event_of_it(hashed: int, chunks: int, count: int) -> None:
    assert hashed % chunks in Staging(Path("none"), chunks, (), ()).parts(hashed % count, count)


def test_a_count_that_divides_the_chunks_reads_no_more_than_its_part() -> None:
    staging = Staging(Path("none"), 40, (), ())
    assert [len(staging.parts(1, count)) for count in (40, 80, 20, 4, 1, 39)] == [1, 1, 2, 10, 40, 40]


def test_staging_is_done_once(telemetry: Path) -> None:
    calls: list[tuple[int, int]] = []
    first = staged(telemetry, progress=lambda done, total: calls.append((done, total)))
    assert staged(telemetry, progress=lambda done, total: calls.append((done, total))) == first
    assert calls == [(82, 82)]


def test_processes_that_start_together_stage_once(telemetry: Path) -> None:
    command = [sys.executable, "-c", STAGE, str(telemetry), str(telemetry.parent / "store")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(process.communicate()[0].strip() for process in started) == ["0", "0", "1"]


def test_times_are_utc_in_any_time_zone(telemetry: Path) -> None:
    command = [sys.executable, "-c", STAGE, str(telemetry), str(telemetry.parent / "store")]
    subprocess.run(command, check=True, capture_output=True, env={"TZ": "Asia/Tokyo"})
    found = rows([path for event in (0, 1) for path in staged(telemetry).files(event)])
    assert sorted(found["TimeGenerated"].dt.replace_time_zone("UTC")) == sorted(some_events()["TimeGenerated"])


def test_other_content_is_staged_anew_and_the_old_staging_is_removed(telemetry: Path) -> None:
    old = staged(telemetry)
    write_events(some_events().head(3), telemetry, part=1)
    new = staged(telemetry)
    assert rows([path for event in (0, 1) for path in new.files(event)]).height == 85
    assert not old.folder.exists()


def test_a_staging_that_was_killed_does_not_count(telemetry: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(_done: int, _total: int) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        staged(telemetry, progress=kill)
    store = telemetry.parent / "store"
    assert [path.name[:9] for path in store.iterdir() if path.is_dir()] == [".partial-"]
    staging = staged(telemetry)
    assert [path for path in store.iterdir() if path.is_dir()] == [staging.folder]


def test_the_fingerprint_is_that_of_the_content_wherever_it_lies(telemetry: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    events_folder(copy).mkdir(parents=True)
    for number, path in enumerate(sorted(events_folder(telemetry).iterdir(), reverse=True)):
        (events_folder(copy) / f"{number}.parquet").write_bytes(path.read_bytes())
    assert fingerprint(copy) == fingerprint(telemetry)


def test_the_fingerprint_changes_with_one_event(telemetry: Path) -> None:
    before = fingerprint(telemetry)
    write_events(some_events().head(1), telemetry, part=1)
    assert fingerprint(telemetry) != before


def test_a_file_that_lost_its_cache_has_the_same_fingerprint(telemetry: Path) -> None:
    before = fingerprint(telemetry)
    (telemetry.parent / "store" / "fingerprints.json").write_text("{broken")
    assert fingerprint(telemetry) == before


def test_what_is_no_json_is_kept_as_a_json_string(telemetry: Path) -> None:
    odd = some_events().head(1).with_columns(Properties=pl.lit('{"cut off'))
    write_events(odd, telemetry, part=1)
    staging = staged(telemetry)
    paths = [str(path) for event in (0, 1) for path in staging.files(event)]
    found = duckdb.execute(
        "SELECT Properties ->> '$' FROM read_parquet($1) WHERE json_type(Properties) = 'VARCHAR'", [paths]
    )
    assert found.fetchall() == [('{"cut off',)]


def test_columns_that_no_file_has_are_left_out(tmp_path: Path) -> None:
    events_folder(tmp_path).mkdir()
    some_events().select("TimeGenerated", "Name", "Properties", "Measurements").write_parquet(
        events_folder(tmp_path) / "a.parquet"
    )
    some_events().select("TimeGenerated", "Name", "Properties", "Measurements", "UserId").with_columns(
        own=pl.lit(1)
    ).write_parquet(events_folder(tmp_path) / "b.parquet")
    staging = staged(tmp_path)
    assert staging.columns == ("TimeGenerated", "Name", "Properties", "Measurements", "UserId")
    found = rows([path for event in (0, 1) for path in staging.files(event)])
    assert found["UserId"].null_count() == 82


def test_no_folder_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds no folder AppEvents"):
        staged(tmp_path / "none")
    events_folder(tmp_path).mkdir()
    with pytest.raises(Refused, match="holds no Parquet file"):
        staged(tmp_path)


def test_a_file_that_is_no_parquet_is_refused_by_name(telemetry: Path) -> None:
    (events_folder(telemetry) / "bad.parquet").write_bytes(b"PAR1 not at all")
    with pytest.raises(Refused, match=r"bad\.parquet is not readable Parquet"):
        staged(telemetry)


@pytest.mark.parametrize("column", ["TimeGenerated", "Name", "Properties", "Measurements"])
def test_a_file_without_a_column_is_refused_with_both_names(telemetry: Path, column: str) -> None:
    some_events().drop(column).write_parquet(events_folder(telemetry) / "lacking.parquet")
    with pytest.raises(Refused, match=rf"lacking\.parquet lacks the column {column}"):
        staged(telemetry)


def test_a_column_of_another_type_is_refused(telemetry: Path) -> None:
    some_events().with_columns(Measurements=pl.lit(1)).write_parquet(events_folder(telemetry) / "odd.parquet")
    with pytest.raises(Refused, match=r"odd\.parquet has the column Measurements as Int32, not String"):
        staged(telemetry)


def test_a_file_with_a_broken_page_is_refused_without_its_data(telemetry: Path) -> None:
    path = max(events_folder(telemetry).iterdir(), key=lambda path: path.stat().st_size)
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(Refused, match="cannot be staged") as refusal:
        staged(telemetry)
    assert "it's" not in str(refusal.value)
