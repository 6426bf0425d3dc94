"""The command as a user types it: a process of its own, its exit code and what it prints."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.queries.catalog import list_queries
from sft_pipeline_tests.orchestration.walked_world import KEY, SMALL_PLAN, World

COMMAND = str(Path(sys.executable).with_name("sft-pipeline"))
COMMANDS = ["run", "telemetry generate", "telemetry import", "query", "queries", "check", "verify", "explain", "ui"]


@pytest.fixture
def world(walked: World, tmp_path: Path) -> World:
    return walked.copy(tmp_path)


def environment(world: World) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SFT_", "DAGSTER_"))}
    return {
        **kept,
        "COLUMNS": "200",
        "SFT_HOME": str(world.root / "home"),
        "SFT_PLAN": str(world.root / "small.toml"),
        "SFT_TELEMETRY": str(world.telemetry),
    }


def sft(world: World, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = environment(world) | variables
    return subprocess.run([COMMAND, *words], env=env, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(walked: World, command: str) -> None:
    told = sft(walked, *command.split(), "--help")
    assert told.returncode == 0
    assert f"Example: sft-pipeline {command}" in told.stdout


def test_an_unknown_option_is_wrong_usage(walked: World) -> None:
    assert sft(walked, "run", "--no-such-option").returncode == 2


def test_run_says_what_was_finished_before_and_where_the_release_is(world: World) -> None:
    told = sft(world, "run", "--window", KEY)
    assert told.returncode == 0, told.stderr
    assert re.search(r"conversation_chunks │\s+0 │\s+2 │", told.stdout)
    assert "52 records released" in told.stdout
    assert re.search(r"sft-pipeline verify \S+/releases/small_0\.052k\S+", told.stdout)


def test_check_verify_and_explain_work_on_what_was_stored(world: World) -> None:
    assert sft(world, "check").returncode == 0
    release = world.table("sample_release").row(0, named=True)
    verified = sft(world, "verify", release["url"])
    assert verified.returncode == 0
    assert "verified: the files hold what metadata.json claims" in verified.stdout
    [taken] = world.table("samples", "val-long")["conversationId"]
    assert "line 1 of val/long_11_to_20_turns.json" in sft(world, "explain", taken).stdout


def test_check_exits_with_1_when_nothing_is_stored(walked: World, tmp_path: Path) -> None:
    told = sft(walked, "check", SFT_HOME=str(tmp_path / "empty"))
    assert told.returncode == 1
    assert "nothing is stored of plan small" in told.stderr


def test_a_query_of_the_catalog_is_written_to_a_file(world: World) -> None:
    out = world.root / "rows.parquet"
    told = sft(world, "query", "test/sft_test_100_lite", "--window", KEY, "--out", str(out))
    assert told.returncode == 0, told.stderr
    assert pl.read_parquet(out).height > 0


def test_the_catalog_is_listed_with_the_question_of_each_query(walked: World) -> None:
    told = sft(walked, "queries", COLUMNS="80")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == list_queries()
    assert " ".join(told.stdout.split()).count("? ") >= len(list_queries()) - 1
    assert max(map(len, lines)) <= 80


def test_the_reference_in_docs_is_printed_as_markdown(walked: World) -> None:
    page = Path(__file__).parents[1] / "docs" / "04_QUERY_REFERENCE.md"
    assert sft(walked, "queries", "--markdown").stdout == page.read_text(encoding="utf-8")


def test_a_narrow_answer_is_shown_as_a_table(world: World) -> None:
    told = sft(world, "query", "sft_conversation_count", "--param", "chunkCount=1", "--window", KEY, COLUMNS="80")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("1 row, 1 column\n")
    assert re.search(r"│ +[\d,]+ │", told.stdout)
    assert "left out" not in told.stdout


def test_a_wide_answer_is_shown_row_by_row_with_what_was_left_out(world: World) -> None:
    told = sft(world, "query", "sft_test_100", "--window", KEY, COLUMNS="80")
    assert told.returncode == 0, told.stderr
    title, *lines = told.stdout.splitlines()
    rows, columns = (int(number) for number in re.findall(r"\d+", title))
    assert title == f"{rows} rows, {columns} columns"
    assert [line[:5] for line in lines].count("row 1") == 1
    assert sum(line.startswith("turnsArray  ") for line in lines) == 3
    assert f"left out: {rows - 3} more rows" in told.stdout
    assert "--out FILE.parquet" in told.stdout
    assert max(map(len, lines)) <= 80


REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, str], str]] = {
    "a plan that is not there": (("run", "--plan", "no_such_plan"), {}, "no plan 'no_such_plan'"),
    "a window in the future": (("run", "--window", "2999-01-01"), {}, "none can end in the future"),
    "no telemetry": (("run", "--window", KEY), {"SFT_TELEMETRY": ""}, "no telemetry to curate"),
    "an unknown way to sign in": (("run",), {"SFT_KUSTO_AUTH": "password"}, "SFT_KUSTO_AUTH is 'password'"),
    "an unknown query": (("query", "no_such_query"), {}, "no query is named 'no_such_query'"),
    "an unknown parameter": (("query", "test/sft_test_100", "--param", "x=1"), {}, "declares no parameter x"),
    "a folder that is no release": (("verify", "queries"), {}, "metadata.json"),
    "an unknown split": (("run", "--split", "dev"), {}, "has no split 'dev'"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_mistake_is_told_in_two_lines_with_a_remedy_and_exit_code_1(walked: World, case: str) -> None:
    words, variables, told = REFUSALS[case]
    refused = sft(walked, *words, **variables)
    assert refused.returncode == 1
    assert told in refused.stderr
    assert "\n  -> " in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_unknown_plan_key_is_named(walked: World, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(SMALL_PLAN.replace("[sample]", "[sample]\nseed = 7"))
    refused = sft(walked, "run", "--plan", str(plan))
    assert refused.returncode == 1
    assert "sample.seed: unknown key" in refused.stderr


def test_unreadable_telemetry_is_named(world: World) -> None:
    file = world.telemetry / "AppEvents" / "2026-10-20-99999.parquet"
    file.write_bytes(b"not parquet")
    refused = sft(world, "run", "--window", KEY)
    assert refused.returncode == 1
    assert f"{file} is not readable Parquet" in refused.stderr


def test_a_release_of_the_same_name_with_other_content_is_a_conflict(world: World) -> None:
    shutil.rmtree(world.root / "home" / "small" / "assets" / "sample_release")
    name = next((world.root / "home" / "releases").glob("small_*"))
    file = name / "metadata.json"
    changed = file.read_text().replace('"records": 1,', '"records": 2,', 1)
    file.unlink()
    file.write_text(changed)
    refused = sft(world, "run", "--window", KEY)
    assert refused.returncode == 1
    assert "is published with other files" in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_goes_on_from_what_was_finished(world: World, number: signal.Signals) -> None:
    shutil.rmtree(world.root / "home")
    process = subprocess.Popen(
        [COMMAND, "run", "--window", KEY, "--until", "conversation_chunks"],
        env=environment(world),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    first = world.root / "home/small/assets/conversation_chunks" / KEY / "0-of-2.parquet"
    while not first.exists():
        assert process.poll() is None
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in ({signal.SIGINT: 130, signal.SIGKILL: -9}[number], 0)
    told = sft(world, "run", "--window", KEY, "--until", "conversation_chunks")
    assert told.returncode == 0, told.stderr
    assert re.search(r"conversation_chunks │\s+[012] │\s+[012] │", told.stdout)
    assert len(list(first.parent.glob("*.parquet"))) == 2


def test_importing_names_what_it_could_not_read(walked: World, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"requests": [')
    told = sft(walked, "telemetry", "import", str(tmp_path), "--out", str(tmp_path / "T"))
    assert told.returncode == 0, told.stderr
    assert re.search(r"broken\.json\s+│ unreadable", told.stdout)
