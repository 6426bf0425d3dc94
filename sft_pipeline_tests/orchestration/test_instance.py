"""The Dagster instance that a plan gets, and how it tells the runs of dead processes from those that live."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher import DefaultRunLauncher, WorkerStatus

from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.leftovers import is_gone, process_name, process_tags
from sft_pipeline.orchestration.run_launcher import BEGAN, WatchedRunLauncher
from sft_pipeline.orchestration.settings import Settings, read_settings

OLDER = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs: {max_concurrent_runs: 5}
  pools: {default_limit: 5, granularity: op}
"""
"""What instances were made with before they watched their runs."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"SFT_HOME": str(tmp_path), "SFT_PLAN": "demo"})


@pytest.fixture
def process() -> Iterator[int]:
    """A process that lives."""
    waiting = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield waiting.pid
    finally:
        waiting.communicate(timeout=30)


def gone() -> int:
    """The number of a process that lived."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(30)
    return ended.pid


def test_a_new_instance_watches_runs_and_retries_those_that_were_killed(settings: Settings) -> None:
    with open_instance(settings) as instance:
        assert isinstance(instance.run_launcher, WatchedRunLauncher)
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 30
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 2)
        assert not instance.run_retries_retry_on_asset_or_op_failure


def test_an_instance_that_is_there_keeps_its_configuration(settings: Settings) -> None:
    settings.dagster_home.mkdir(parents=True)
    config = settings.dagster_home / "dagster.yaml"
    config.write_text(OLDER)
    with open_instance(settings) as instance:
        assert type(instance.run_launcher) is DefaultRunLauncher
        assert not instance.run_retries_enabled
    assert config.read_text() == OLDER


def health(instance: dg.DagsterInstance, told: dict[str, str], process: int | None = None) -> WorkerStatus:
    """What is said of a run with these tags, whose process told its number."""
    run = instance.create_run_for_job(dg.Definitions([nothing]).resolve_implicit_global_asset_job_def(), tags=told)
    if process is not None:
        message = f"{BEGAN} (pid: {process})."
        instance.report_engine_event(message, run, EngineEventData.in_process(process))
    return instance.run_launcher.check_run_worker_health(run).status


@dg.asset
def nothing() -> None: ...


def test_a_run_is_dead_when_its_process_is(settings: Settings, process: int) -> None:
    with open_instance(settings) as instance:
        assert health(instance, {}, process) == WorkerStatus.RUNNING
        assert health(instance, {}, gone()) == WorkerStatus.NOT_FOUND
        assert health(instance, {}) == WorkerStatus.RUNNING


def test_a_run_of_a_walk_is_dead_when_the_walk_is(settings: Settings, process: int) -> None:
    with open_instance(settings) as instance:
        assert health(instance, process_tags()) == WorkerStatus.RUNNING
        for number, status in ((process, WorkerStatus.RUNNING), (gone(), WorkerStatus.NOT_FOUND)):
            assert health(instance, process_tags() | {"sft_pipeline/process": process_name(number)}) == status


def test_a_process_that_began_after_it_was_seen_has_its_number_alone(process: int) -> None:
    assert not is_gone(process_name(process), seen=time.time())
    assert is_gone(process_name(process), seen=time.time() - 3600)
