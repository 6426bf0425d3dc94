"""The Dagster instance of a plan: its folder, its storage and its concurrency limits, opened or made.

Belongs here: dagster.yaml and what makes its SQLite files fast. Nothing about the data.
"""

import os
import re
import signal
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from string import Template

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.engine import Engine

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.settings import Settings

JUDGE_POOL = "judge"
"""The pool of the assets that ask a judge, which has requests of its own under way."""

UNCAPTURED = {"compute_logs": {"module": NoOpComputeLogManager.__module__, "class": NoOpComputeLogManager.__name__}}
"""What a command prints is for its terminal. Capturing it run by run would start four processes for each, and lead what
the progress display draws into the runs' logs; runs that Dagster's daemon launches are captured as it is configured."""

LEAST_RUNS = 5
"""A run does more than query: fewer runs would leave cores idle."""

DAGSTER_YAML = Template("""\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs: {max_concurrent_runs: $runs}
  pools: {default_limit: $queries, granularity: op}
run_launcher:
  module: sft_pipeline.orchestration.run_launcher
  class: WatchedRunLauncher
run_monitoring: {enabled: true, poll_interval_seconds: 30, free_slots_after_run_end_seconds: 30}
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
run_storage:
  module: sft_pipeline.orchestration.sqlite_storage
  class: PooledRunStorage
  config:
    base_dir: {env: DAGSTER_HOME}
event_log_storage:
  module: sft_pipeline.orchestration.sqlite_storage
  class: PooledEventLogStorage
  config:
    base_dir: {env: DAGSTER_HOME}
""")
"""As many Kusto queries at a time as the settings say when the instance is made, and at least five runs.

One event log for all runs: a database file per run would cost more than most partitions do.
"""


def prepare_instance(settings: Settings) -> None:
    """Make the instance's folder and configuration, keeping a configuration that is there.

    Raises:
        Refused: the folder cannot be written.
    """
    config = settings.dagster_home / "dagster.yaml"
    try:
        settings.dagster_home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            config.write_text(_dagster_yaml(settings.queries_at_a_time), encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"cannot write {settings.dagster_home}: {error.strerror}", remedy="set SFT_HOME to a folder you can write"
        ) from error


def _dagster_yaml(queries: int) -> str:
    return DAGSTER_YAML.substitute(queries=queries, runs=max(LEAST_RUNS, queries))


def pool_limit(settings: Settings) -> int | None:
    """How many queries at a time an instance that is there allows, where its configuration says so."""
    config = settings.dagster_home / "dagster.yaml"
    told = re.search(r"default_limit:\s*(\d+)", config.read_text(encoding="utf-8")) if config.is_file() else None
    return int(told[1]) if told else None


@contextmanager
def open_instance(settings: Settings) -> Generator[dg.DagsterInstance]:
    """The plan's instance; it becomes this process's `DAGSTER_HOME`, as its configuration expects."""
    prepare_instance(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    if not event.contains(Engine, "connect", _sync_at_checkpoints):
        event.listen(Engine, "connect", _sync_at_checkpoints)
    with FileLock(settings.dagster_home / "instance.lock"), _uninterrupted():
        # Two first runs would make the tables of one database, and one that is stopped would leave half of them.
        _remove_empty_databases(settings.dagster_home)
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(settings.dagster_home), overrides=UNCAPTURED))
    with instance:
        _judge_one_split_at_a_time(instance)
        yield instance


def _judge_one_split_at_a_time(instance: dg.DagsterInstance) -> None:
    """Splits judged at once would each spend what `max_cost` leaves, and windows pay twice for what they share.

    A limit that somebody has set stays.
    """
    told = {limit.name for limit in instance.event_log_storage.get_pool_limits() if not limit.from_default}
    if JUDGE_POOL not in told:
        instance.event_log_storage.set_concurrency_slots(JUDGE_POOL, 1)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Ctrl-C waits until the block is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _remove_empty_databases(folder: Path) -> None:
    """What is left of a first run that was killed: Dagster makes tables only where there is no file."""
    for database in folder.rglob("*.db"):
        if not database.stat().st_size:
            database.unlink()


def _sync_at_checkpoints(connection: object, _record: object) -> None:
    """Let SQLite's write-ahead log reach the disk at checkpoints, not at every one of a run's hundred events.

    A killed process loses nothing by it; after a power failure the last partitions may be made again.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")
