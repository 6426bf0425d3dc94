"""A file of rows is there whole under its name, or not at all."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.commands.row_files import WRITERS, row_file
from sft_pipeline.curation.refusal import Refused

ROWS = pl.DataFrame({"conversationId": ["a", "b"], "cell": ["train-short", None]})


@pytest.mark.parametrize(
    ("name", "read"),
    [("rows.parquet", pl.read_parquet), ("rows.csv", pl.read_csv), ("rows.json", pl.read_ndjson)],
)
def test_rows_come_back_as_they_were_written(tmp_path: Path, name: str, read: Callable[[Path], pl.DataFrame]):
    path = tmp_path / name
    with row_file(path) as unfinished:
        WRITERS[path.suffix](ROWS, unfinished)
        assert not path.exists()
    assert read(path).equals(ROWS)
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path: Path) -> None:
    path.write_text("half")
    raise ArithmeticError("half")


def test_what_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("earlier")
    with pytest.raises(ArithmeticError, match="half"), row_file(path) as unfinished:
        _write_half(unfinished)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "told"), [("rows.xlsx", r"\.xlsx"), ("rows", "a file without ending")])
def test_another_ending_is_refused_with_those_that_can_be_written(tmp_path: Path, name: str, told: str):
    with pytest.raises(Refused, match=f"cannot write {told}") as refusal, row_file(tmp_path / name):
        pytest.fail("nothing may be done for a file that cannot be written")
    assert refusal.value.remedy == "name a .parquet, .csv or .json file"


def test_a_folder_that_is_not_there_is_refused_at_once(tmp_path: Path):
    with pytest.raises(Refused, match="cannot write") as refusal, row_file(tmp_path / "none" / "rows.csv"):
        pytest.fail("nothing may be done for a file that cannot be written")
    assert "a folder that you can write" in refusal.value.remedy
