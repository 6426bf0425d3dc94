"""The Dagster instance of a plan: its folder, its storage and its concurrency limits, opened or made.

Belongs here: dagster.yaml and what makes its SQLite files fast. Nothing about the data.
"""

import os
import sqlite3

import dagster as dg
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.engine import Engine

from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.resources import Settings

DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency:
  runs: {max_concurrent_runs: 5}
  pools: {default_limit: 5, granularity: op}
event_log_storage:
  module: dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log
  class: ConsolidatedSqliteEventLogStorage
  config:
    base_dir: {env: DAGSTER_HOME}
"""
"""Five runs at a time, five Kusto queries at a time: the limit per user of a Log Analytics workspace.

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
            config.write_text(DAGSTER_YAML, encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"cannot write {settings.dagster_home}: {error.strerror}", remedy="set SFT_HOME to a folder you can write"
        ) from error


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The plan's instance; it becomes this process's `DAGSTER_HOME`, as its configuration expects."""
    prepare_instance(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    if not event.contains(Engine, "connect", _sync_at_checkpoints):
        event.listen(Engine, "connect", _sync_at_checkpoints)
    with FileLock(settings.dagster_home / "instance.lock"):  # two first runs would make the tables of one database
        return dg.DagsterInstance.from_config(str(settings.dagster_home))


def _sync_at_checkpoints(connection: object, _record: object) -> None:
    """Let SQLite's write-ahead log reach the disk at checkpoints, not at every one of a run's hundred events.

    A killed process loses nothing by it; after a power failure the last partitions may be made again.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")
