"""Dagster's own daemon as it runs behind the UI, killed in the middle of a backfill (51).

It takes a minute: the daemon starts twice, and looks after backfills every 30 seconds.

Belongs here: the real `dagster-daemon` in a process group of its own, with its code server and its runs.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.orchestration.assembly import assemble
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline_tests.faults.fault_world import KEY, FaultWorld, candidates, candidates_of
from sft_pipeline_tests.stand_in import Asked, Service, stand_in

PATIENCE = 240
"""Seconds in which each half must be over; alone on a machine they take about 20 and 35."""

CHUNKS = ("0-of-4", "2-of-4")
BACKFILL = "killed"


@contextmanager
def daemon(environment: dict[str, str], folder: Path) -> Generator[None]:
    """The daemon with the pipeline's code location; killed at the end with all that it started."""
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", "sft_pipeline.definitions"]
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def wait_until(over: Callable[[], bool], told: Callable[[], object], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not over():
        if time.monotonic() > end:
            pytest.fail(f"it takes longer than {PATIENCE} s: {told()}\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


def retry_is_forgotten(log: Path) -> bool:
    """Dagster's reader of events sees each once: a failure that it reads too early, as seldom happens, is not retried.

    A retry is launched within seconds; a backfill that waits for one at its fourth look, a minute and a half later,
    waits for ever.
    """
    return log.read_text().count("retries have not been launched") > 3


def prepared(root: Path, world: FaultWorld, service: Service) -> tuple[Settings, dict[str, str]]:
    """A new home with one query at a time, so that a slot that a dead run keeps would stop everything."""
    told = {"SFT_HOME": str(root), "SFT_PLAN": str(world.plan_path), "SFT_KUSTO_QUERIES": "1"} | service.settings
    settings = read_settings(told)
    with open_instance(settings):
        pass
    config = settings.dagster_home / "dagster.yaml"
    usual = config.read_text()
    quick = usual.replace("poll_interval_seconds: 30", "poll_interval_seconds: 1").replace(
        "end_seconds: 30", "end_seconds: 1"
    )
    assert quick.count("_seconds: 1}") + quick.count("_seconds: 1,") == 2
    config.write_text(quick)
    return settings, os.environ | told | {"DAGSTER_HOME": str(settings.dagster_home)}


def start_backfill(settings: Settings, instance: dg.DagsterInstance) -> None:
    """As the UI's dialog does."""
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=BACKFILL,
            asset_graph=assemble(settings).resolve_asset_graph(),
            partition_names=[f"{chunk}|{KEY}" for chunk in CHUNKS],
            asset_selection=[dg.AssetKey("conversation_chunks"), dg.AssetKey("rejected_conversations")],
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated:DeprecationWarning")  # Dagster's
def test_fault_51_a_daemon_killed_in_a_backfill_runs_the_partition_in_flight_again_and_no_other(
    world: FaultWorld, tmp_path: Path
) -> None:
    in_flight, go_on = Event(), Event()

    def keep_waiting(asked: Asked) -> None:
        if candidates_of(2)(asked) and not go_on.is_set():
            in_flight.set()
            go_on.wait(2 * PATIENCE)

    with stand_in(world.answers, faults=keep_waiting) as service:
        settings, environment = prepared(tmp_path / "home", world, service)
        log = tmp_path / "daemon.log"
        with open_instance(settings) as instance:

            def statuses() -> dict[str, list[str]]:
                """Of the runs of each chunk, oldest first."""
                runs = [
                    (run.tags["dagster/partition"].partition("|")[0], run.status.value) for run in instance.get_runs()
                ]
                return {chunk: [status for one, status in reversed(runs) if one == chunk] for chunk in CHUNKS}

            def ended() -> bool:
                backfill = instance.get_backfill(BACKFILL)
                return backfill is not None and backfill.status == BulkActionStatus.COMPLETED_SUCCESS

            try:
                start_backfill(settings, instance)
                half = {CHUNKS[0]: ["SUCCESS"], CHUNKS[1]: ["STARTED"]}
                with daemon(environment, tmp_path):
                    wait_until(lambda: in_flight.is_set() and statuses() == half, statuses, log)
                assert statuses() == half
                go_on.set()
                with daemon(environment, tmp_path):
                    wait_until(lambda: ended() or retry_is_forgotten(log), statuses, log)
            finally:
                go_on.set()
            if retry_is_forgotten(log):
                pytest.skip("Dagster read of the failure before the run was marked as failed, and forgot the retry")
            assert statuses() == half | {CHUNKS[1]: ["FAILURE", "SUCCESS"]}
            assert instance.get_materialized_partitions(dg.AssetKey("conversation_chunks")) == {
                f"{chunk}|{KEY}" for chunk in CHUNKS
            }
        asked_for = sorted(str(entry.parameters["chunk"]) for entry in service.journal if candidates(entry.asked))
        assert asked_for == ["0", "2", "2"]
    tables = TableStore(settings.storage)
    for number, chunk in zip((0, 2), CHUNKS, strict=True):
        assert tables.notes(TableKey("conversation_chunks", KEY, chunk))["version"] == world.truth[number][0]
