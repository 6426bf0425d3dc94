"""`python -m bench [--quick] [--work DIR] [ID ...]`: run benchmarks, record what they found, tell it in docs."""

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

from bench.document import write_document
from bench.machine import Busy, machine
from bench.results import record
from bench.scale import FULL, QUICK

BENCHMARKS = ("embedded", "curate", "decode", "resample", "labels", "orchestration", "scaling", "slots", "upload")
"""Modules with `run(scale, work) -> list[Benchmark]`."""

parser = argparse.ArgumentParser(prog="bench", description=__doc__)
parser.add_argument("--quick", action="store_true", help="small inputs and a run of each side: about six minutes")
parser.add_argument("--work", type=Path, default=Path(".sft/bench"), help="where inputs are made, once, and kept")
parser.add_argument("ids", nargs="*", metavar="ID", help=f"of {', '.join(BENCHMARKS)}; default: all")
options = parser.parse_args()
if odd := set(options.ids) - set(BENCHMARKS):
    parser.error(f"there is no benchmark {', '.join(sorted(odd))}")

scale = QUICK if options.quick else FULL
options.work.mkdir(parents=True, exist_ok=True)
for name in options.ids or BENCHMARKS:
    started = time.monotonic()
    print(f"{name} ...", flush=True)
    try:
        found = import_module(f"bench.{name}").run(scale, options.work.resolve())
    except Busy as busy:
        sys.exit(f"nothing is recorded: {busy}; end what else runs on this machine, then try again")
    record(machine(), scale.name, found)
    for one in found:
        missed = [goal.statement for goal in one.goals if not goal.met]
        print(f"  {one.id}: {one.value} {one.unit}" + (f"; missed: {', '.join(missed)}" if missed else ""))
    print(f"  {time.monotonic() - started:.0f} s", flush=True)
write_document()
