from pathlib import Path

import pytest

from sft_pipeline.telemetry import partitioning
from sft_pipeline.telemetry.events import events_folder
from sft_pipeline.telemetry.partitioning import connected, partition
from sft_pipeline_tests.scenario import world_events

LARGE = "CREATE TABLE large AS SELECT repeat('x', 100) || range AS text FROM range(1000000) ORDER BY hash(range)"


def test_what_does_not_fit_into_memory_is_spilled_and_cleared_away(tmp_path: Path) -> None:
    with connected({"memory_limit": "50MB", "threads": 1}, tmp_path / "not" / "there") as connection:
        connection.execute(LARGE)
        assert connection.execute("SELECT count(DISTINCT text) FROM large").fetchall() == [(1_000_000,)]
        assert any(path.is_file() for path in tmp_path.rglob("*"))
    assert list((tmp_path / "not" / "there").iterdir()) == []


def test_connections_spill_apart(tmp_path: Path) -> None:
    with connected({}, tmp_path) as one, connected({}, tmp_path) as other:
        folders = {
            connection.execute("SELECT current_setting('temp_directory')").fetchone() for connection in (one, other)
        }
    assert len(folders) == 2


def test_files_beyond_a_batch_go_into_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events_folder(tmp_path).mkdir()
    events = world_events()
    paths = [events_folder(tmp_path) / f"{part}.parquet" for part in range(3)]
    for part, path in enumerate(paths):
        events.gather_every(3, part).write_parquet(path)
    monkeypatch.setattr(partitioning, "BATCH_ROWS", events.height * 2 // 3 + 2)
    told: list[tuple[int, int]] = []
    names, columns = partition(
        paths, tmp_path / "out", chunks=2, settings={}, report=lambda done, total: told.append((done, total))
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "spill") == ["00000", "00001"]
    assert told[-1] == (events.height, events.height)
    assert len(told) == 2
    assert names == sorted(events["Name"].unique())
    assert set(columns) == set(events.columns)


def test_rare_names_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = world_events()
    events.write_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(partitioning, "NAMES_APART", 1)
    names, _ = partition(
        [tmp_path / "a.parquet"], tmp_path / "out", chunks=1, settings={}, report=lambda _done, _total: None
    )
    assert names == [events["Name"].mode().item()]
    assert sorted(path.name for path in (tmp_path / "out" / "00000" / "chunk=0").iterdir()) == ["event=-1", "event=0"]
