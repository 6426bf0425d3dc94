"""Labels as a user types them: `labels ...`, `run` with and without a judge, `explain ID#1`."""

import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from sft_pipeline.cli import app
from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.commands.checking import explain_conversation
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.orchestration.labelled_world import LabelledWorld
from sft_pipeline_tests.orchestration.walked_world import KEY

COMMAND = str(Path(sys.executable).with_name("sft-pipeline"))


def sft(world: LabelledWorld, *words: str) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, *words]
    return subprocess.run(command, env=world.environment, capture_output=True, text=True, check=False, timeout=240)


@pytest.fixture
def judged(labelled: LabelledWorld, tmp_path: Path) -> LabelledWorld:
    """A copy of the finished walk."""
    return labelled.copy(tmp_path)


@pytest.mark.parametrize("command", ["import", "export", "ledger"])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    told = CliRunner().invoke(app, ["labels", command, "--help"])
    assert told.exit_code == 0
    assert f"Example: sft-pipeline labels {command}" in told.stdout


def annotated(world: LabelledWorld, path: Path) -> list[dict[str, object]]:
    """A file of yesterday's annotations: every request of the session router has one, and every third a thumb."""
    tables = [world.table("session_router/requests", split) for split in ("train", "val")]
    texts = pl.concat(tables).filter(pl.col("leftOut").is_null())["request"].unique(maintain_order=True)
    records: list[dict[str, object]] = [
        {"request": text, "llm_vote": number % 2, "vote": [1, 0, None][number % 3], "model": "gpt-4.1"}
        for number, text in enumerate(texts)
    ]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return records


def test_labels_of_yesterday_come_in_count_and_go_out_again(judged: LabelledWorld, tmp_path: Path) -> None:
    records = annotated(judged, tmp_path / "yesterday.jsonl")
    with (tmp_path / "yesterday.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"request": "no vote"}\n')
    told = sft(judged, "labels", "import", str(tmp_path / "yesterday.jsonl"), "--judge", "gpt-4o [2024]")
    assert told.returncode == 1
    assert re.search(rf"new records\s+│\s+{len(records)}\s", told.stdout)
    assert "1 of" in told.stderr
    assert "yesterday.jsonl.bad_lines.csv" in told.stderr
    ledger = sft(judged, "labels", "ledger")
    assert ledger.returncode == 0, ledger.stderr
    assert re.search(rf"imported/gpt-4o \[2024\]\s+│\s+{len(records)}\s+│", ledger.stdout)
    assert "heuristic/proxies_of_source_003" in ledger.stdout
    accepting = judged.judged(SFT_JUDGE="stored", SFT_JUDGE_ACCEPT="gpt-4o [2024]")
    run = sft(accepting, "run", "--window", KEY, "--until", "session_router/training_sets")
    assert run.returncode == 0, run.stderr
    assert set(judged.table("session_router/verdicts", "val")["judge"]) == {"imported/gpt-4o [2024]"}
    assert judged.table("session_router/training_sets", "train-50r50n").height == 40
    out = tmp_path / "out.jsonl"
    exported = sft(judged, "labels", "export", "--judge", "gpt-4o [2024]", "--out", str(out))
    assert exported.returncode == 0, exported.stderr
    assert f"{len(records)} records to {out}" in exported.stdout
    back = [json.loads(line) for line in out.read_bytes().splitlines()]
    key = ("request", "llm_vote", "vote", "model")
    assert sorted(json.dumps([record.get(name) for name in key]) for record in back) == sorted(
        json.dumps([record[name] for name in key]) for record in records
    )


def test_a_run_tells_labels_trust_files_and_the_release(judged: LabelledWorld) -> None:
    told = sft(judged, "run", "--window", KEY)
    assert told.returncode == 0, told.stderr
    counts = re.search(r"session train" + r"\s+│\s+(\d+)" * 6, told.stdout)
    assert counts
    requests, *parts = map(int, counts.groups())
    assert requests == sum(parts) == judged.table("session_router/requests", "train").height
    assert re.search(r"session val\s+│ 1\.00 \(1\.00-1\.00\)", told.stdout)
    assert "labels of heuristic/... are no language model's" in told.stdout
    assert re.search(r"session val-70r30n\s+│\s+10 │\s+10 │\s+7 │\s+3 │", told.stdout)
    assert "200 SFT lines released before" in told.stdout
    assert re.search(r"sft-pipeline verify \S+/releases/small_sft_datav3_15d_\S+", told.stdout)


def test_a_request_is_explained_by_its_id(labelled: LabelledWorld) -> None:
    request = labelled.table("session_router/training_sets", "val-70r30n").row(0, named=True)
    told = sft(labelled, "explain", request["requestId"])
    assert told.returncode == 0, told.stderr
    assert request["requestId"] in told.stdout
    assert "turn 1: line 1 of session_router/datav3_val_70r_30n_sft.jsonl" in told.stdout
    assert "conversation_chunks" not in told.stdout


def test_a_request_that_there_is_not_is_refused(labelled: LabelledWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in labelled.variables.items():
        monkeypatch.setenv(name, value)
    conversation_id = labelled.table("session_router/requests", "val")["conversationId"][0]
    with pytest.raises(Refused, match=f"no request {conversation_id}#99 in window {KEY}") as refusal:
        explain_conversation(f"{conversation_id}#99", plan=None, window=None)
    assert "explain CONVERSATION_ID" in refusal.value.remedy


def test_without_a_judge_a_run_ends_with_the_samples_and_says_so(sampled: LabelledWorld) -> None:
    unjudged = sampled.planned(('default = "heuristic"\n', ""))
    told = sft(unjudged, "run", "--window", KEY)
    assert told.returncode == 0, told.stderr
    assert "52 records released before" in told.stdout
    assert "no SFT files: no judge is set" in told.stdout
    assert "SFT_JUDGE" in told.stdout
    assert not list(unjudged.tables.keys("session_router/requests"))


def test_one_split_is_labelled_released_and_checked_alone(sampled: LabelledWorld) -> None:
    """Regression: `check` could not be evaluated on the training sets of one split alone."""
    told = sft(sampled, "run", "--window", KEY, "--split", "val")
    assert told.returncode == 0, told.stderr
    assert "40 SFT lines released in" in told.stdout
    release = sampled.table("sft_release").row(0, named=True)
    assert verify_release(open_release_store(release["url"])).passed
    folder = Path(release["url"].removeprefix("file://"))
    assert {path.name for path in folder.glob("*/*.jsonl")} == {
        "datav3_val_70r_30n_sft.jsonl",
        "datav3_val_50r_50n_sft.jsonl",
    }
    assert [key.part for key in sampled.tables.keys("session_router/verdicts")] == ["val"]
    checked = sft(sampled, "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_class_that_falls_short_is_refused_or_caps_the_total_when_that_is_allowed(judged: LabelledWorld) -> None:
    greedy = judged.planned(("val = 10 }", "val = 100 }"))
    words = ("run", "--window", KEY, "--until", "session_router/training_sets")
    refused = sft(greedy, *words)
    assert refused.returncode == 1
    assert re.search(r"session_router val-70r30n cannot have 100 rows: label 0 \(want 70, have \d+\)", refused.stderr)
    assert "--allow-shortfall" in refused.stderr
    allowed = sft(greedy, *words, "--allow-shortfall")
    assert allowed.returncode == 0, allowed.stderr
    counts = greedy.table("session_router/training_sets", "val-70r30n")["label"].value_counts().sort("label")
    [zeros, ones] = counts["count"]
    assert zeros * 3 == ones * 7
    assert 0 < zeros + ones < 100
