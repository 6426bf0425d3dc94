"""`python -m bench [--conversations N] [--folder DIR]`: the walk at a size, 20,000 candidates unless told."""

import argparse
import tempfile
from pathlib import Path

from bench.walk import run, show

parser = argparse.ArgumentParser(prog="bench", description=__doc__)
parser.add_argument("--conversations", type=int, default=20_000)
parser.add_argument("--folder", type=Path, help="kept, with its telemetry; default: a temporary folder")
options = parser.parse_args()

with tempfile.TemporaryDirectory(prefix="sft-bench-") as temporary:
    show(run(options.folder or Path(temporary), options.conversations))
