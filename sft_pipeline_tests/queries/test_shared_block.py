"""The script that copies the block which queries over conversations share."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "kql_check" / "share_block.py"
SOURCE = "production/sft_candidates_hash_chunked.kql"
BEGIN, END = "// >>> shared", "// <<< shared"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "queries", tmp_path / "queries"))


def share(catalog: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(catalog)], capture_output=True, text=True, check=False)


def texts(catalog: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in catalog.rglob("*.kql")}


def test_the_catalog_has_nothing_to_copy(catalog: Path) -> None:
    before = texts(catalog)
    assert share(catalog).stdout == "every copy is equal\n"
    assert texts(catalog) == before


def test_an_edit_of_the_source_reaches_every_copy_and_nothing_else(catalog: Path) -> None:
    before = texts(catalog)
    source = catalog / SOURCE
    source.write_text(before[source].replace(END, f"// an edit\n{END}"), encoding="utf-8")
    told = share(catalog)
    copies = {path for path, text in before.items() if BEGIN in text} - {source}
    assert len(copies) >= 3
    assert set(told.stdout.splitlines()) == set(map(str, copies))
    after = texts(catalog)
    assert {path for path in before if after[path] != before[path]} == {*copies, source}
    assert all(after[path] == before[path].replace(END, f"// an edit\n{END}") for path in copies)


def test_an_edit_of_a_copy_is_undone(catalog: Path) -> None:
    copy = catalog / "test" / "sft_test_100.kql"
    before = copy.read_text(encoding="utf-8")
    copy.write_text(before.replace(END, f"// an edit\n{END}"), encoding="utf-8")
    assert share(catalog).returncode == 0
    assert copy.read_text(encoding="utf-8") == before


def test_a_source_without_its_markers_is_refused_and_no_copy_is_touched(catalog: Path) -> None:
    source = catalog / SOURCE
    source.write_text(source.read_text(encoding="utf-8").replace(BEGIN, "//"), encoding="utf-8")
    before = texts(catalog)
    refused = share(catalog)
    assert refused.returncode == 1
    assert "has no block 'shared'" in refused.stderr
    assert texts(catalog) == before
