"""The check of queries by Microsoft's own parser tells where a query is wrong. The catalog itself: test_catalog."""

import json
import subprocess
from pathlib import Path

import pytest

from sft_pipeline_tests.queries.parser import FOLDER, needs_parser, parsed

WRONG = {
    "an unknown column": ("AppEvents\n| where Nope == 1", "2:9", "'Nope'"),
    "an unknown table": ("// Which?\n\nNothing\n| count", "3:1", "'Nothing'"),
    "an aggregate of a wrong type": ("AppEvents | summarize sum(Name)", "1:27", "summable"),
    "an aggregate where none may stand": ("AppEvents\n| where count() > 1", "2:9", "count"),
    "an unknown function": ("AppEvents\n| extend n = no_such_function(Name)", "2:14", "'no_such_function'"),
    "a syntax error": ("AppEvents |", "1:12", ""),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with a file per wrong query and a right one in a folder below, and what is said of it."""
    folder = tmp_path_factory.mktemp("wrong")
    for case, (text, _, _) in WRONG.items():
        (folder / f"{case}.kql").write_text(text)
    (folder / "below").mkdir()
    (folder / "below" / "right.kql").write_text("AppEvents | count")
    return folder, parsed(folder)


@needs_parser
@pytest.mark.parametrize("case", WRONG)
def test_it_names_file_line_and_column_of_what_is_wrong(
    case: str, wrong: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    folder, found = wrong
    _, place, told = WRONG[case]
    [line] = [line for line in found.stdout.splitlines() if line.startswith(f"{folder / case}.kql:")]
    assert line.startswith(f"{folder / case}.kql:{place} Error ")
    assert told in line


@needs_parser
def test_it_fails_and_counts_when_anything_is_wrong(wrong: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, found = wrong
    assert found.returncode == 1
    assert found.stdout.splitlines()[-1] == f"{len(WRONG) + 1} queries, {len(WRONG)} diagnostics"
    assert "right.kql" not in found.stdout


@needs_parser
def test_it_goes_by_the_schema_that_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "other.kql"
    file.write_text("Other | summarize n = count() by at")
    assert parsed(file).returncode == 1
    found = parsed("--schema", file, schema={"Other": {"at": "datetime"}})
    assert found.returncode == 0
    assert json.loads(found.stdout) == {"file": str(file), "columns": {"at": "datetime", "n": "long"}}


@needs_parser
def test_no_query_at_all_is_no_success(tmp_path: Path) -> None:
    assert parsed(tmp_path).returncode == 1


@needs_parser
@pytest.mark.parametrize("words", [(), ("--schema",), ("--unknown", "queries"), ("no/such/folder",)])
def test_wrong_usage_is_told(words: tuple[str, ...]) -> None:
    told = parsed(*words)
    assert told.returncode == 2
    assert told.stderr.startswith(("usage: ", "there is no file or folder "))


def test_what_is_installed_is_pinned_and_names_no_registry() -> None:
    lock = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(lock)["packages"]
    [pinned] = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"].values()
    assert pinned == packages["node_modules/@kusto/language-service-next"]["version"]
    assert all("integrity" in package for name, package in packages.items() if name)
    assert "http" not in lock
