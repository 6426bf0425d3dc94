"""Runs whose process is gone: killed, or out of memory or power. They hold slots of a pool that nobody gives back.

Belongs here: marking a walk's runs with their process, whether a process is gone, and ending the runs of one that is.
Does not belong here: runs that Dagster's daemon launched and watches itself (run_launcher).
"""

import os
import socket
from pathlib import Path

import dagster as dg
from dagster._core.launcher import WorkerStatus

PROCESS_TAG = "sft_pipeline/process"
_UNENDED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def process_tags() -> dict[str, str]:
    """Tags of a run that this process executes itself."""
    return {PROCESS_TAG: process_name(os.getpid()), "dagster/max_retries": "0"}


def process_name(process: int) -> str:
    """A process of this machine, as the tag names it."""
    return f"{socket.gethostname()} {process}"


def end_leftovers(instance: dg.DagsterInstance) -> list[str]:
    """Report the runs of processes that are gone from this machine as failed and give their slots back; their ids."""
    ended: list[str] = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNENDED)):
        if is_gone(run.tags.get(PROCESS_TAG, "")):
            instance.report_run_failed(run, "The process that executed this run is gone.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    _give_slots_back(instance)
    return ended


def _give_slots_back(instance: dg.DagsterInstance) -> None:
    """Take pool slots from runs that have ended, and from those of a daemon that was killed with them.

    Without a daemon nobody else does, and whoever waits for the only slot of a pool would wait for ever.
    """
    log = instance.event_log_storage
    holders = {run for key in log.get_concurrency_keys() for run in log.get_concurrency_info(key).active_run_ids}
    for run_id in holders:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished or _is_lost(instance, run):
            log.free_concurrency_slots_for_run(run_id)


def _is_lost(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    launcher = instance.run_launcher
    return (
        launcher.supports_check_run_worker_health
        and launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND
    )


def is_gone(name: str, seen: float | None = None) -> bool:
    """Whether a process of this machine is no more; of another machine nothing is known.

    Args:
        name: as `process_name` gives it.
        seen: when the process was there, in seconds since 1970; one that began later has its number alone.
    """
    host, _, process = name.rpartition(" ")
    if host != socket.gethostname() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it is somebody else's, and alive
    return seen is not None and _began(int(process)) > seen + 1


def _began(process: int) -> float:
    """When a process began, in seconds since 1970; 0 where the system does not tell as Linux does."""
    try:
        ticks = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
        [boot] = [line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime ")]
    except (OSError, ValueError, IndexError):
        return 0
    return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
