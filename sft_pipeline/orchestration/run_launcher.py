"""Runs that Dagster's daemon launches, and whether their process still lives.

Dagster's own launcher for one machine cannot tell: a run whose process was killed along with the daemon stays "started"
for ever, and nobody retries it. An instance's dagster.yaml names this class beside run monitoring and run retries.

Belongs here: that one answer. Does not belong here: what is done about a dead run (Dagster's daemon).
"""

import dagster as dg
from dagster._core.events import EngineEventData
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

from sft_pipeline.orchestration.leftovers import PROCESS_TAG, is_gone, process_name

BEGAN = "Started process for run"
"""How the message begins with which a run's process tells its number, before its run counts as started."""


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher, which also looks whether a run's process is there."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: the processes are on this machine."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run lives; one that is elsewhere, or that told no number, is taken to."""
        if PROCESS_TAG in run.tags:
            gone = is_gone(run.tags[PROCESS_TAG])
        else:
            gone = any(is_gone(process_name(number), seen) for number, seen in self._told_by(run)[-1:])
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND if gone else WorkerStatus.RUNNING)

    def _told_by(self, run: dg.DagsterRun) -> list[tuple[int, float]]:
        """The numbers that the run's processes told, and when."""
        entries = self._instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        events = [(entry.get_dagster_event(), entry.timestamp) for entry in entries]
        return [
            (int(str(event.event_specific_data.metadata["pid"].value)), seen)
            for event, seen in events
            if isinstance(event.event_specific_data, EngineEventData) and (event.message or "").startswith(BEGAN)
        ]
