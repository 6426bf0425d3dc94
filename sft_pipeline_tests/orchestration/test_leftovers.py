import os
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.leftovers import end_leftovers
from sft_pipeline.orchestration.settings import read_settings

IN_A_POOL = """
import os, sys
import dagster as dg
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.leftovers import PROCESS_TAG, process_tags
from sft_pipeline.orchestration.settings import read_settings

@dg.asset(pool="kusto")
def held():
    os._exit(9)

with open_instance(read_settings()) as instance:
    tags = {PROCESS_TAG: sys.argv[1]} if sys.argv[1:] else process_tags()
    dg.materialize([held], instance=instance, tags=tags)
"""


def environment(home: Path) -> dict[str, str]:
    return {"SFT_HOME": str(home), "SFT_PLAN": "demo", "SFT_KUSTO_QUERIES": "1"}


def killed_in_a_pool(home: Path, *tag: str) -> None:
    command = [sys.executable, "-c", IN_A_POOL, *tag]
    outer = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    done = subprocess.run(command, env=outer | environment(home), check=False, capture_output=True, timeout=60)
    assert done.returncode == 9, done.stderr


def slots_taken(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info("kusto").active_slot_count


def test_the_slot_of_a_killed_process_is_given_back_and_its_run_has_failed(tmp_path: Path) -> None:
    killed_in_a_pool(tmp_path)
    with open_instance(read_settings(environment(tmp_path))) as instance:
        assert slots_taken(instance) == 1
        [ended] = end_leftovers(instance)
        assert slots_taken(instance) == 0
        run = instance.get_run_by_id(ended)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert end_leftovers(instance) == []


@pytest.mark.parametrize("process", [f"{socket.gethostname()} 1", "another-machine 99999999"])
def test_the_slots_of_processes_that_may_live_are_left_to_them(tmp_path: Path, process: str) -> None:
    killed_in_a_pool(tmp_path, process)
    with open_instance(read_settings(environment(tmp_path))) as instance:
        assert end_leftovers(instance) == []
        assert slots_taken(instance) == 1


def test_a_first_run_that_was_killed_while_it_made_its_databases_is_made_good(tmp_path: Path) -> None:
    settings = read_settings(environment(tmp_path))
    settings.dagster_home.mkdir(parents=True)
    (settings.dagster_home / "event_log.db").touch()
    with open_instance(settings) as instance:
        assert instance.get_asset_keys() == []
