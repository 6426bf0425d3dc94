"""Runs whose process is gone: killed, or out of memory or power. They hold slots of a pool that nobody gives back.

Belongs here: marking a walk's runs with their process, and ending those of a process that is no more.
Does not belong here: runs that Dagster's daemon launched and watches itself.
"""

import os
import socket

import dagster as dg

PROCESS_TAG = "sft_pipeline/process"
_UNENDED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def process_tags() -> dict[str, str]:
    """Tags of a run that this process executes itself."""
    return {PROCESS_TAG: f"{socket.gethostname()} {os.getpid()}"}


def end_leftovers(instance: dg.DagsterInstance) -> list[str]:
    """Report the runs of processes that are gone from this machine as failed and give their slots back; their ids."""
    ended: list[str] = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNENDED)):
        if _is_gone(run.tags.get(PROCESS_TAG, "")):
            instance.report_run_failed(run, "The process that executed this run is gone.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def _is_gone(told: str) -> bool:
    host, _, process = told.rpartition(" ")
    if host != socket.gethostname() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it is somebody else's, and alive
    return False
