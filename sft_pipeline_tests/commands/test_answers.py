from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import pytest

from sft_pipeline.commands.answers import BLOCK_ROWS, LONGEST_TEXT, TABLE_ROWS, show_answer
from sft_pipeline.terminal import out

WIDTH = 80


@pytest.fixture(autouse=True)
def narrow() -> Iterator[None]:
    before = out.width
    out.width = WIDTH
    yield
    out.width = before


def shown(rows: pl.DataFrame, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show_answer(rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    return lines


def narrow_rows(count: int) -> pl.DataFrame:
    return pl.DataFrame({"name": [f"name {n}" for n in range(count)], "count": range(count)})


def wide_rows(count: int) -> pl.DataFrame:
    return pl.DataFrame({f"column{n}": ["some text"] * count for n in range(12)})


def test_an_answer_that_fits_is_a_table_and_nothing_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(narrow_rows(2), capsys)
    assert lines[0] == "2 rows, 2 columns"
    assert [line for line in lines if "name 1" in line] == ["│ name 1 │     1 │"]
    assert lines[-1].startswith("└")


def test_rows_beyond_a_screen_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(narrow_rows(TABLE_ROWS + 1), capsys)
    assert sum("│ name" in line for line in lines) == TABLE_ROWS
    assert lines[-1].startswith("left out: 1 more row; --out FILE.parquet")


def test_texts_of_a_table_are_cut_to_fit_with_an_ellipsis(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(narrow_rows(1).with_columns(name=pl.lit("long " * 40)), capsys)
    assert any("long…" in line or "long …" in line or "lon…" in line for line in lines)
    assert " ".join(lines).count("left out: texts beyond what is shown") == 1


def test_an_answer_that_does_not_fit_is_a_block_per_row(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(wide_rows(5), capsys)
    assert lines[0] == "5 rows, 12 columns"
    assert [line.split()[1] for line in lines if line.startswith("row ")] == ["1", "2", "3"]
    assert lines.count("column11  some text") == BLOCK_ROWS
    assert "left out: 2 more rows; --out" in " ".join(lines)


def test_every_value_of_a_block_is_one_line_as_long_as_there_is_room(capsys: pytest.CaptureFixture[str]) -> None:
    text = "line one\nline two\t" + "x" * 2 * LONGEST_TEXT
    lines = shown(wide_rows(1).with_columns(column3=pl.lit(text)), capsys)
    [told] = [line for line in lines if line.startswith("column3 ")]
    assert told.startswith("column3   line one line two xxx")
    assert told.endswith("x…")
    assert len(told) == WIDTH
    assert "texts beyond what is shown" in " ".join(lines)


def test_wide_letters_do_not_break_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(wide_rows(1).with_columns(column0=pl.lit("漢" * 100)), capsys)
    [told] = [line for line in lines if line.startswith("column0 ")]
    assert told.count("漢") == (WIDTH - len("column11  ") - 1) // 2


def test_values_read_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "n": 1234567,
        "x": 0.5,
        "none": None,
        "yes": True,
        "at": datetime(2026, 10, 20, tzinfo=UTC),
        "markup": "[b]",
    }
    lines = shown(wide_rows(1).with_columns(**{name: pl.lit(value) for name, value in values.items()}), capsys)
    told = dict(line.split("  ", 1) for line in lines if "  " in line)
    assert {name.strip(): value.strip() for name, value in told.items() if name.strip() in values} == {
        "n": "1,234,567",
        "x": "0.5",
        "none": "-",
        "yes": "yes",
        "at": "2026-10-20 00:00:00+00:00",
        "markup": "[b]",
    }


@pytest.mark.parametrize("rows", [narrow_rows(0), wide_rows(0)])
def test_an_empty_answer_says_so(rows: pl.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(rows, capsys)
    assert lines[0] == f"0 rows, {rows.width} columns"
    assert "left out" not in " ".join(lines)
