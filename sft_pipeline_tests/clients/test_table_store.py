import os
import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sft_pipeline.clients.table_store import ROW_GROUP_ROWS, TableKey, TableStore
from sft_pipeline.curation.refusal import Refused

KEY = TableKey("conversation_chunks", "2026-11-01", "07-of-40")
TABLE = pl.DataFrame({"conversationId": ["a", "b"], "turnCount": [3, 4]})


def store(folder: Path) -> TableStore:
    return TableStore(str(folder))


def test_a_table_is_read_as_it_was_written_with_its_notes(tmp_path: Path) -> None:
    tables = store(tmp_path)
    tables.write(KEY, TABLE, {"version": "v1"})
    assert_frame_equal(tables.read(KEY), TABLE)
    assert tables.notes(KEY)["version"] == "v1"
    assert tables.keys("conversation_chunks") == [KEY]


@pytest.mark.parametrize("rows", [0, 1, ROW_GROUP_ROWS, 2 * ROW_GROUP_ROWS + 1])
def test_nested_rows_come_back_in_order_from_row_groups_of_one_size(tmp_path: Path, rows: int) -> None:
    numbers = pl.Series("number", range(rows), pl.Int64())
    nested = pl.concat_list(pl.struct("number", text=pl.format("text {}", "number")))
    table = numbers.to_frame().with_columns(turns=nested)
    store(tmp_path).write(KEY, table, {})
    assert_frame_equal(store(tmp_path).read(KEY), table)
    groups = "SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata(?) ORDER BY 1"
    sizes: list[int] = [size for _, size in duckdb.execute(groups, [store(tmp_path).uri(KEY)]).fetchall()]
    assert sum(sizes) == rows
    assert all(size == ROW_GROUP_ROWS for size in sizes[:-1])


def test_a_table_without_parts_has_its_own_file(tmp_path: Path) -> None:
    tables = store(tmp_path)
    key = TableKey("session_router/requests", "2026-11-01")
    tables.write(key, TABLE, {})
    assert tables.uri(key).endswith("session_router/requests/2026-11-01/requests.parquet")
    assert tables.keys("session_router/requests") == [key]


def test_several_partitions_are_scanned_as_one_and_each_row_names_its_part(tmp_path: Path) -> None:
    tables = store(tmp_path)
    keys = [KEY, KEY._replace(part="08-of-40")]
    for key in keys:
        tables.write(key, TABLE, {})
    assert tables.scan(keys).collect()["part"].to_list() == ["07-of-40"] * 2 + ["08-of-40"] * 2


def test_missing_partitions_are_refused_by_name(tmp_path: Path) -> None:
    tables = store(tmp_path)
    tables.write(KEY, TABLE, {})
    with pytest.raises(
        Refused, match=r"1 of 2 partitions of conversation_chunks are missing or damaged: 08-of-40\|2026-11-01"
    ):
        tables.scan([KEY, KEY._replace(part="08-of-40")])


def test_the_same_table_is_the_same_bytes(tmp_path: Path) -> None:
    first, second = store(tmp_path / "a"), store(tmp_path / "b")
    first.write(KEY, TABLE, {"version": "v1"})
    second.write(KEY, TABLE, {"version": "v1"})
    assert Path(first.uri(KEY)).read_bytes() == Path(second.uri(KEY)).read_bytes()


def test_a_folder_that_cannot_be_made_is_refused_with_a_remedy(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(Refused, match="cannot write") as refusal:
        store(blocked).write(KEY, TABLE, {})
    assert "run again" in refusal.value.remedy


WRITE_A_LARGE_TABLE = """
import polars as pl, sys
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.refusal import Refused
table = pl.DataFrame({"text": [f"{i * 7919 % 1000003}" * 10 for i in range(200_000)]})
try:
    TableStore(sys.argv[1]).write(TableKey("conversation_chunks", "2026-11-01", "07-of-40"), table, {})
except Refused as refusal:
    print(refusal.what)
    sys.exit(1)
"""


def test_fault_46_a_full_disk_is_refused_and_the_table_that_was_there_stays(tmp_path: Path) -> None:
    """Regression: a file size limit ends writes the way a full disk does, with an OSError in mid-write."""
    tables = store(tmp_path)
    tables.write(KEY, TABLE, {})
    limited = subprocess.run(
        [sys.executable, "-c", WRITE_A_LARGE_TABLE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )
    assert limited.returncode == 1, limited.stderr[-500:]
    assert "cannot write" in limited.stdout
    assert_frame_equal(tables.read(KEY), TABLE)
    assert [path.name for path in Path(tables.uri(KEY)).parent.iterdir()] == ["07-of-40.parquet"]
