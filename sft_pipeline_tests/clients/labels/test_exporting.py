from pathlib import Path

import orjson
import polars as pl
import pytest

from sft_pipeline.clients.labels import importing
from sft_pipeline.clients.labels.exporting import TABLE_COLUMNS, export_labels
from sft_pipeline.clients.labels.importing import import_labels
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.clients.labels.label_world import record, segments, store_in, write_records

RECORDS = [
    record("one\u2028line", 0, vote=None),
    record("two", 1, model=None),
    record("two", 1, vote=-1, extra={"a": [1]}),
]
LEFT_OUT = {"userName", "response"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelStore:
    """In several segments."""
    monkeypatch.setattr(importing, "PIECE", 10)
    store = store_in(tmp_path)
    import_labels(write_records(tmp_path / "in.json", RECORDS), store, "annotator", report=tmp_path / "bad.csv")
    assert len(segments(tmp_path, "records")) == 3
    return store


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_lines_are_the_records_as_they_came(store: LabelStore, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    assert export_labels(store, "annotator", path) == 3
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert [orjson.loads(line) for line in lines] == [
        {name: one[name] for name in one if name not in LEFT_OUT} for one in RECORDS
    ]


def test_what_was_exported_can_be_imported(store: LabelStore, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    export_labels(store, "annotator", path)
    other = store_in(tmp_path / "other")
    assert import_labels(path, other, "annotator", report=tmp_path / "bad.csv").added == 3
    identity = importing.imported_identity("annotator")
    keys = [one.asks(identity).select("key", "label").collect().sort("key") for one in (store, other)]
    assert keys[0].equals(keys[1])


def test_a_table_has_a_column_for_what_all_records_have(store: LabelStore, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    assert export_labels(store, "annotator", path) == 3
    table = pl.read_parquet(path)
    assert table.schema == TABLE_COLUMNS
    assert table.drop("fields").rows() == [
        ("one\u2028line", 0, None, "gpt-5"),
        ("two", 1, 1, None),
        ("two", 1, 0, "gpt-5"),
    ]
    assert orjson.loads(table["fields"][2]) == {
        "Name": "GitHub.copilot-chat/interactiveSessionResponse",
        "latency": 408,
        "turnNumber": 1,
        "extra": {"a": [1]},
    }


def test_a_record_that_two_imports_at_once_brought_in_is_given_back_once(store: LabelStore, tmp_path: Path) -> None:
    for path in segments(tmp_path, "records"):
        path.with_name(f"20990101{path.name[8:]}").write_bytes(path.read_bytes())
    assert export_labels(store, "annotator", tmp_path / "out.jsonl") == 3


def test_another_judge_is_refused_and_those_there_are_are_named(store: LabelStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no labels of nobody") as refused:
        export_labels(store, "nobody", tmp_path / "out.jsonl")
    assert "annotator" in refused.value.remedy
    with pytest.raises(Refused) as refused:
        export_labels(store_in(tmp_path / "empty"), "nobody", tmp_path / "out.jsonl")
    assert "labels import" in refused.value.remedy


def test_an_ending_that_is_none_of_ours_is_refused(store: LabelStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot write \.csv"):
        export_labels(store, "annotator", tmp_path / "out.csv")


def test_a_folder_that_is_not_there_is_refused_and_an_earlier_file_stays(store: LabelStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such file"):
        export_labels(store, "annotator", tmp_path / "none" / "out.jsonl")
    path = tmp_path / "out.jsonl"
    path.write_text("earlier")
    segments(tmp_path, "records")[-1].write_bytes(b"damaged")
    with pytest.raises(Refused, match="is damaged"):
        export_labels(store, "annotator", path)
    assert path.read_text() == "earlier"
    assert [one for one in tmp_path.iterdir() if "unfinished" in one.name] == []
