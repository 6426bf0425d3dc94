"""`releases`, `diff` and `explain --release` as a user types them: the exit code and what is printed."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline_tests.clients.test_published import overwrite
from sft_pipeline_tests.records_world import MOMENT, NAME, SMALL, curation_of, samples_of, with_targets, with_turns

COMMAND = str(Path(sys.executable).with_name("sft-pipeline"))
SAMPLES = samples_of(SMALL)
FEWER = with_targets(SMALL, {**SMALL.sample.targets, "train": {"short": 3, "medium": 2, "long": 2}})
OTHER_NAME = "vscodedata_0.014k_complete_stratified_deduped_1d_20250819_120000"


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two releases: the second lacks one conversation of train-short, and one of val-short changed."""
    folder = tmp_path_factory.mktemp("releases")
    store = LocalReleaseStore(folder)
    publish(store, curation_of(store, SMALL, SAMPLES), moment=MOMENT)
    changed = with_turns(SAMPLES["val-short"], 0, modelMessage="another answer")
    samples = {**SAMPLES, "train-short": SAMPLES["train-short"].head(3), "val-short": changed}
    publish(store, curation_of(store, FEWER, samples), moment=MOMENT + timedelta(days=3))
    return folder


def sft(place: Path, *words: str, columns: int = 120) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SFT_", "DAGSTER_"))}
    env = {**kept, "COLUMNS": str(columns), "SFT_HOME": str(place), "SFT_RELEASES": str(place)}
    return subprocess.run([COMMAND, *words], env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", ["releases", "diff", "explain"])
def test_every_command_explains_itself_with_an_example(place: Path, command: str):
    told = sft(place, command, "--help")
    assert told.returncode == 0
    assert f"Example: sft-pipeline {command}" in told.stdout


@pytest.mark.parametrize("columns", [80, 120])
def test_releases_are_listed_newest_first_within_the_terminal(place: Path, columns: int):
    told = sft(place, "releases", columns=columns)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0] == f"2 releases in {place}, newest first"
    assert [line for line in lines if line in {NAME, OTHER_NAME}] == [OTHER_NAME, NAME]
    assert "  2025-08-16 12:00 UTC, plan test, window 2025-08-15 to 2025-08-16" in lines
    assert "  15 records: train 8, val 4, test 3" in lines
    assert max(len(line) for line in lines if str(place) not in line) <= columns


def test_releases_are_verified_and_a_broken_one_fails(place: Path, tmp_path: Path):
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    path = tmp_path / NAME / "val" / "short_3_to_5_turns.json"
    overwrite(path, path.read_bytes().replace(b"answer 1", b"answer 2"))
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "x.json").write_text("{}")
    told = sft(tmp_path, "releases", str(tmp_path), "--verify")
    assert told.returncode == 1
    assert "BROKEN: Every file has the bytes" in told.stdout
    assert re.search(rf"{OTHER_NAME}\n  verified\n", told.stdout)
    assert "  unfinished: it has no metadata.json" in told.stdout
    assert "1 of 3 releases do not hold what they claim" in told.stderr


def test_scripts_get_one_json_document(place: Path):
    told = sft(place, "releases", "--verify", "--json")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["url"] == place.as_uri()
    newest, oldest = document["releases"]
    assert oldest == {
        "curation_id": NAME,
        "url": (place / NAME).as_uri(),
        "release_kind": "samples",
        "state": "verified",
        "detail": "",
        "curation_date": "2025-08-16T12:00:00Z",
        "plan": "test",
        "time_window": {"start": "2025-08-15T00:00:00Z", "end": "2025-08-16T00:00:00Z"},
        "records": 15,
        "splits": {"train": 8, "val": 4, "test": 3},
        "shortfall": {},
    }
    assert (newest["curation_id"], newest["records"]) == (OTHER_NAME, 14)


def test_an_empty_place_has_no_releases(place: Path, tmp_path: Path):
    assert sft(place, "releases", str(tmp_path)).stdout == f"no releases in {tmp_path}\n"


def test_two_releases_are_compared_by_name_and_by_folder(place: Path, tmp_path: Path):
    out = tmp_path / "rows.csv"
    told = sft(place, "diff", NAME, str(place / OTHER_NAME), "--out", str(out))
    assert told.returncode == 0, told.stderr
    assert re.search(r"train-short +│ +4 │ +3 │ +3 │ +0 │ +0 │ +1 │", told.stdout)
    assert re.search(r"val-short +│ +2 │ +2 │ +2 │ +1 │ +0 │ +0 │", told.stdout)
    assert re.search(r"all +│ +15 │ +14 │ +14 │ +1 │ +0 │ +1 │", told.stdout)
    assert "plan.sample.targets.train.short: 4 -> 3" in told.stdout
    assert f"15 rows to {out}" in told.stdout
    rows = pl.read_csv(out)
    assert rows.columns == ["conversationId", "change", "cellBefore", "cellAfter"]
    assert rows["conversationId"].is_sorted()
    assert dict(rows["change"].value_counts().iter_rows()) == {"same": 13, "changed": 1, "went": 1}
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_damaged_release_is_not_compared_and_no_file_is_left(place: Path, tmp_path: Path):
    shutil.copytree(place / NAME, tmp_path / NAME)
    overwrite(tmp_path / NAME / "test" / "long_11_to_20_turns.json", b"private words\n")
    told = sft(place, "diff", str(tmp_path / NAME), OTHER_NAME, "--out", str(tmp_path / "rows.csv"))
    assert told.returncode == 1
    assert "test/long_11_to_20_turns.json: line 1 is no record" in told.stderr
    assert f"sft-pipeline verify {tmp_path / NAME}" in told.stderr
    assert "private" not in told.stdout + told.stderr
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize(("words", "told"), [(("--out", "rows.xlsx"), "cannot write .xlsx"), ((), "is not a release")])
def test_what_cannot_be_compared_is_refused(place: Path, words: tuple[str, ...], told: str):
    refused = sft(place, "diff", NAME, NAME if words else "none", *words)
    assert refused.returncode == 1
    assert told in refused.stderr


def test_an_altered_file_is_compared_as_it_is_and_named(place: Path, tmp_path: Path):
    shutil.copytree(place / NAME, tmp_path / NAME)
    path = tmp_path / NAME / "val" / "short_3_to_5_turns.json"
    overwrite(path, path.read_bytes().replace(b"answer 1", b"answer 2", 1))
    told = sft(place, "diff", NAME, str(tmp_path / NAME))
    assert told.returncode == 0, told.stderr
    assert f"altered after its publication: val/short_3_to_5_turns.json of {NAME}" in told.stdout
    assert "plan, window, query, source and versions are the same" in told.stdout
    assert "of 15 conversations 15 stayed, 1 of them changed" in told.stdout


def test_a_conversation_is_explained_from_a_release_alone(place: Path):
    conversation_id = SAMPLES["train-short"]["conversationId"][3]
    there = sft(place, "explain", conversation_id, "--release", NAME)
    assert there.returncode == 0, there.stderr
    assert re.search(r"train/short_3_to_5_turns\.json │ line 4 of 4: \d turns, bucket short", there.stdout)
    gone = sft(place, "explain", conversation_id, "--release", str(place / OTHER_NAME))
    assert gone.returncode == 0, gone.stderr
    assert "not among the 14 records" in gone.stdout
    assert re.search(r"train-short +│ ranks too low, if it was a candidate", gone.stdout)


def test_a_release_and_a_plan_together_are_wrong_usage(place: Path):
    assert sft(place, "explain", "some-id", "--release", NAME, "--plan", "demo").returncode == 2
