"""This project: what `sft-pipeline run` does, from opening the instance to the last printed table.

Every partition is a run of Dagster with all its checks, executed in this process.
"""

import time
from contextlib import redirect_stdout
from os import devnull
from pathlib import Path

from bench.inputs import END
from bench.orchestration.places import in_an_empty_home, left
from bench.telling import tell
from sft_pipeline.commands.running import run_walk

settings = in_an_empty_home()
with Path(devnull).open("w") as nowhere, redirect_stdout(nowhere):
    began = time.perf_counter()
    run_walk(plan=None, window=END, split=None, until=None, chunks=None, allow_shortfall=False)
    seconds = time.perf_counter() - began
tell(seconds, left(settings))
