"""Slots of a pool that nobody gives back any more are taken from those who are gone, and from no one else."""

import os
from pathlib import Path

import dagster as dg
import pytest

from sft_pipeline.orchestration.instance import JUDGE_POOL, open_instance
from sft_pipeline.orchestration.leftovers import PROCESS_TAG, end_leftovers, process_name
from sft_pipeline.orchestration.settings import read_settings


@dg.job
def nothing() -> None:
    """Does nothing."""


def holders(instance: dg.DagsterInstance) -> set[str]:
    return instance.event_log_storage.get_concurrency_info(JUDGE_POOL).active_run_ids


@pytest.mark.parametrize(
    ("status", "stays"),
    [(dg.DagsterRunStatus.STARTED, True), (dg.DagsterRunStatus.FAILURE, False), (None, False)],
    ids=["living", "ended", "unknown"],
)
def test_a_slot_stays_with_a_run_that_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: dg.DagsterRunStatus | None, *, stays: bool
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    (tmp_path / "telemetry").mkdir()
    told = {"SFT_PLAN": "test", "SFT_HOME": str(tmp_path / "home"), "SFT_TELEMETRY": str(tmp_path / "telemetry")}
    with open_instance(read_settings(told)) as instance:
        tags = {PROCESS_TAG: process_name(os.getppid())}
        run = instance.create_run_for_job(nothing, status=status, tags=tags).run_id if status else "of-another-time"
        instance.event_log_storage.claim_concurrency_slot(JUDGE_POOL, run, "verdicts")
        assert holders(instance) == {run}
        end_leftovers(instance)
        assert holders(instance) == ({run} if stays else set())
