"""`sft-pipeline doctor` as a user types it."""

import subprocess
from pathlib import Path

import pytest

from sft_pipeline_tests.orchestration.walked_world import KEY, World
from sft_pipeline_tests.stand_in import stand_in
from sft_pipeline_tests.test_cli import sft


def doctor(world: World, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    told = sft(world, "doctor", *words, **variables)
    assert "Traceback" not in told.stderr
    return told


def test_it_explains_itself_with_an_example(walked: World) -> None:
    assert "Example: sft-pipeline doctor" in doctor(walked, "--help").stdout


def test_all_is_well_with_files_that_are_staged(walked: World) -> None:
    told = doctor(walked, "--window", KEY)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[-1] == "all is well"
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert f"source: the embedded engine over {walked.telemetry}" in lines[0]
    assert "window: 2026-10-17 to 2026-11-01 UTC" in told.stdout
    assert "user names: leave as they are" in lines[-2]


def test_a_pseudonym_key_that_can_be_guessed_is_a_problem(walked: World) -> None:
    told = doctor(walked, "--plan", "production", "--window", KEY, SFT_PLAN="production", SFT_PSEUDONYM_KEY="guess-me")
    assert told.returncode == 1
    assert "problem  user names: the value of SFT_PSEUDONYM_KEY has 8 characters" in told.stdout
    assert "guess-me" not in told.stdout + told.stderr


def test_all_is_well_with_a_cluster(walked: World) -> None:
    with stand_in(walked.telemetry) as service:
        told = doctor(walked, "--window", KEY, **service.settings, SFT_TELEMETRY="")
    assert told.returncode == 0, told.stdout
    assert "signing in not at all" in told.stdout
    assert "answers `print 1`" in told.stdout


def test_a_cluster_that_is_not_there_is_a_problem_with_a_remedy(walked: World) -> None:
    variables = {"SFT_KUSTO_CLUSTER": "http://127.0.0.1:9", "SFT_KUSTO_DATABASE": "telemetry", "SFT_KUSTO_AUTH": "none"}
    told = doctor(walked, "--window", KEY, **variables)
    assert told.returncode == 1
    assert "problem  reachable: 127.0.0.1:9 refuses the connection\n         -> " in told.stdout
    assert "1 problem" in told.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SFT_PLAN": "no_such_plan"}, "no plan 'no_such_plan'"),
        ({"SFT_TELEMETRY": "/no/such/folder"}, "SFT_TELEMETRY is /no/such/folder, which does not exist"),
    ],
)
def test_a_setting_that_cannot_work_is_a_problem(walked: World, variables: dict[str, str], said: str) -> None:
    told = doctor(walked, **variables)
    assert told.returncode == 1
    assert "problem  settings: " in told.stdout
    assert said in told.stdout


def test_an_instance_made_with_another_limit_is_told(walked: World, tmp_path: Path) -> None:
    home = walked.copy(tmp_path)
    with stand_in(walked.telemetry) as service:
        told = doctor(home, "--window", KEY, **service.settings, SFT_KUSTO_QUERIES="3")
    assert told.returncode == 1
    assert "3 in `run`, but 5 in Dagster's UI" in told.stdout
