"""Dagster as its documentation has it: `execute_in_process` for each partition, on an instance with default storage.

The same definitions and the same order; queries are not asked ahead, and nothing is looked up before a run.
"""

import os
import time

import dagster as dg

from bench.inputs import END
from bench.orchestration.places import in_an_empty_home, left
from bench.telling import tell
from sft_pipeline.orchestration.assembly import assemble
from sft_pipeline.orchestration.partitions import asset_key
from sft_pipeline.orchestration.steps import walk_steps

settings = in_an_empty_home()
settings.dagster_home.mkdir(parents=True)
os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
began = time.perf_counter()
job = assemble(settings).resolve_implicit_global_asset_job_def()
quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
with dg.DagsterInstance.get() as instance:
    for step in walk_steps(settings.plan, END, labelled=bool(settings.judge.kind)):
        selection = [asset_key(asset) for asset in step.assets]
        for partition in step.partitions:
            job.execute_in_process(
                instance=instance, partition_key=partition, asset_selection=selection, run_config=quiet
            )
seconds = time.perf_counter() - began
tell(seconds, left(settings))
