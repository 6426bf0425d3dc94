import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from sft_pipeline.cli import app
from sft_pipeline.commands.chunk_numbers import chunk_numbers
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.orchestration.walked_world import KEY, World


@pytest.fixture
def world(walked: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = walked.copy(tmp_path)
    told = {"HOME": world.settings.home, "TELEMETRY": world.telemetry, "PLAN": world.root / "small.toml"}
    for name, value in told.items():
        monkeypatch.setenv(f"SFT_{name}", str(value))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return world


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["run", "--window", KEY, *words])


@pytest.mark.parametrize(
    ("told", "numbers"),
    [
        ("0-19", set(range(20))),
        ("3,7,12-15", {3, 7, 12, 13, 14, 15}),
        ("5", {5}),
        (" 1 , 2-2, 1", {1, 2}),
    ],
)
def test_numbers_and_ranges_are_read(told: str, numbers: set[int]) -> None:
    assert chunk_numbers(told) == numbers


@pytest.mark.parametrize("told", ["", "1,", "19-0", "-3", "1-", "a", "0..19", "1.5", "07-of-40", "\u0661", "9" * 20])
def test_what_is_no_list_of_chunks_is_a_usage_error(told: str) -> None:
    with pytest.raises(typer.BadParameter, match="0-19 or 3,7,12-15"):
        chunk_numbers(told)
    assert run("--chunks", told).exit_code == 2


def test_chunks_alone_are_made_and_told(world: World) -> None:
    before = world.released_files()
    for chunk in (0, 1):
        Path(world.settings.storage, "conversation_chunks", KEY, f"{chunk}-of-2.parquet").unlink()
    done = run("--chunks", "1")
    assert done.exit_code == 0, done.output
    assert re.search(r"conversation_chunks │\s+1 │\s+0 │", done.output)
    assert "1 of 2 chunks; `run` without --chunks goes on with all" in done.output
    assert "conversations" not in re.findall(r"│ (\w+)", done.output)
    kept = world.tables.read(world.tables.keys("conversation_chunks")[0]).height
    assert re.search(rf"candidates\s+│\s+{kept} │", done.output)
    assert world.made()["conversation_chunks"] == 1
    assert world.released_files() == before


def test_chunks_stop_after_themselves(world: World) -> None:
    assert run("--chunks", "0", "--until", "samples").exit_code == 2
    assert run("--chunks", "0", "--until", "conversation_chunks").exit_code == 0


def test_a_chunk_beyond_the_plan_is_refused(world: World) -> None:
    refused = run("--chunks", "0-2").exception
    assert isinstance(refused, Refused)
    assert refused.what == "plan small has no chunk 2: its chunks are 0 to 1"


def test_the_help_shows_how_two_machines_share_a_window() -> None:
    told = " ".join(CliRunner().invoke(app, ["run", "--help"]).output.split())
    assert "sft-pipeline run --window 2026-11-01 --chunks 0-19 sft-pipeline run" in told
    assert "--chunks 20-39" in told
