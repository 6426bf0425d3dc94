"""What `sft-pipeline run --until conversation_chunks` does, in an empty home: `python -m bench.slots.chunks_side`."""

import time
from contextlib import redirect_stdout
from os import devnull
from pathlib import Path

from bench.inputs import END
from bench.orchestration.places import in_an_empty_home
from bench.telling import tell
from sft_pipeline.commands.running import run_walk
from sft_pipeline.orchestration.resources import open_tables

settings = in_an_empty_home()
with Path(devnull).open("w") as nowhere, redirect_stdout(nowhere):
    began = time.perf_counter()
    run_walk(plan=None, window=END, split=None, until="conversation_chunks", chunks=None, allow_shortfall=False)
    seconds = time.perf_counter() - began
tables = open_tables(settings.storage)
versions = tables.versions(tables.keys("conversation_chunks"))
tell(seconds, {"chunks": {key.part: version for key, version in versions.items()}})
