"""The whole walk at a given size: telemetry, then plan `production` to the release, each step with its time and memory.

Memory is the sum over a command and its children, sampled every tenth of a second.
"""

import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

COMMAND = str(Path(sys.executable).with_name("sft-pipeline"))
CANDIDATES_IN_PRODUCTION = 335_000
STEP = re.compile(r"│ (\w+)\s+│\s+(\d+) │\s+(\d+) │\s+([\d,.]+) │")


@dataclass(frozen=True)
class Measured:
    """One command: wall seconds and the peak of resident memory, children included."""

    id: str
    seconds: float
    rss_mb: float


def measure(name: str, words: list[str], environment: dict[str, str]) -> tuple[Measured, str]:
    """Run a command of the project, watching its memory.

    Raises:
        CalledProcessError: the command failed; what it printed is shown.
    """
    started = time.monotonic()
    process = psutil.Popen([COMMAND, *words], env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
    watcher.start()
    printed, _ = process.communicate()
    watcher.join()
    if process.returncode:
        print(printed)
        raise subprocess.CalledProcessError(process.returncode, words)
    return Measured(name, round(time.monotonic() - started, 1), round(peak[0])), printed


def _watch(process: psutil.Popen, peak: list[float]) -> None:
    while process.poll() is None:
        try:
            family = [process, *process.children(recursive=True)]
            peak[0] = max(peak[0], sum(one.memory_info().rss for one in family) / 1e6)
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.1)


def scaled_plan(folder: Path, conversations: int) -> Path:
    """Plan `production` with its targets scaled to the number of candidates."""
    text = (Path(__file__).parents[1] / "sft_pipeline/plans/production.toml").read_text()
    share = min(1.0, conversations / CANDIDATES_IN_PRODUCTION)
    path = folder / "production.toml"
    path.write_text(re.sub(r"(short|medium|long) = (\d+)", lambda m: f"{m[1]} = {int(int(m[2]) * share)}", text))
    return path


def run(folder: Path, conversations: int) -> dict[str, object]:
    """Measure generation and the walk in an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "COLUMNS": "160",
        "SFT_HOME": str(folder / "home"),
        "SFT_PLAN": str(scaled_plan(folder, conversations)),
        "SFT_TELEMETRY": str(folder / "telemetry"),
    }
    rows: list[Measured] = []
    if not (folder / "telemetry").exists():
        size = ["--conversations", str(conversations), "--end", "2026-11-01", "--out", environment["SFT_TELEMETRY"]]
        rows.append(measure("telemetry generate", ["telemetry", "generate", *size], environment)[0])
    walked, printed = measure("run", ["run", "--window", "2026-11-01"], environment)
    again, _ = measure("run again", ["run", "--window", "2026-11-01"], environment)
    [release] = re.findall(r"sft-pipeline verify (\S+)", printed)
    verified, _ = measure("verify", ["verify", release], environment)
    steps = {name: float(seconds.replace(",", "")) for name, _, _, seconds in STEP.findall(printed)}
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "conversations": conversations,
        "steps_seconds": steps,
        "commands": [asdict(row) for row in (*rows, walked, again, verified)],
    }


def show(result: dict[str, object]) -> None:
    """Print a result as JSON."""
    print(json.dumps(result, indent=2))
