"""`sft-pipeline run` to the sample release in an empty home, with the time and the peak memory of each step.

`python -m bench.scaling.walk_side TELEMETRY PLAN HOME`. Seconds of a step are those that `run` tells. Memory is
attributed by the lines that it writes when a partition of a step is done: what was seen since the line before.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.telling import tell

COMMAND = str(Path(sys.executable).with_name("sft-pipeline"))
WINDOW = "2026-11-01"
LOOK_SECONDS = 0.1
DONE = re.compile(r"(\w+) \d+/\d+(:|$)")
STEP = re.compile(r"│ (\w+)\s+│\s+\d+ │\s+\d+ │\s+([\d,.]+) │")


@dataclass
class Memory:
    """Peaks of a process and its children in MB: since the last line, and by step."""

    process: psutil.Process
    peak: float = 0.0
    by_step: dict[str, float] = field(default_factory=dict[str, float])

    def look(self) -> None:
        """Until the process ends."""
        while self.process.is_running():
            try:
                family = [self.process, *self.process.children(recursive=True)]
                self.peak = max(self.peak, sum(one.memory_info().rss for one in family) / 1e6)
            except psutil.NoSuchProcess:
                continue
            time.sleep(LOOK_SECONDS)

    def done(self, step: str) -> None:
        """What was seen belongs to this step."""
        self.by_step[step] = max(self.by_step.get(step, 0), round(self.peak))
        self.peak = 0.0


def walk(telemetry: str, plan: str, home: str) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds and MB by step.

    Raises:
        SystemExit: the command failed.
    """
    own = {"SFT_HOME": home, "SFT_PLAN": plan, "SFT_TELEMETRY": telemetry, "COLUMNS": "160"}
    outside = {name: value for name, value in os.environ.items() if not name.startswith("SFT_")}
    process = psutil.Popen(
        [COMMAND, "run", "--window", WINDOW, "--until", "sample_release"],
        env=outside | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    memory = Memory(process)
    threading.Thread(target=memory.look, daemon=True).start()
    printed: list[str] = []
    for line in process.stdout:
        printed.append(line)
        if done := DONE.match(line):
            memory.done(done[1])
    if process.wait():
        raise SystemExit("".join(printed))
    return {name: float(told.replace(",", "")) for name, told in STEP.findall("".join(printed))}, memory.by_step


telemetry, plan, home = sys.argv[1:]
shutil.rmtree(home, ignore_errors=True)
started = time.monotonic()
seconds, megabytes = walk(telemetry, plan, home)
tell(time.monotonic() - started, {"seconds": seconds, "megabytes": megabytes})
shutil.rmtree(home)
