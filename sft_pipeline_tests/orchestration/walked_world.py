"""A small telemetry folder, a small plan, and one finished walk over them, made once per session and copied by tests.

Belongs here: values that tests of orchestration start from. Does not belong here: assertions.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from sft_pipeline.clients.kusto.asking_ahead import Progress
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline.orchestration.steps import Step, walk_steps
from sft_pipeline.orchestration.walk import StepDone, walk
from sft_pipeline.telemetry.events import events_folder

WINDOW = date(2026, 11, 1)
KEY = WINDOW.isoformat()

SMALL_PLAN = """
name = "small"
query = "production/sft_candidates_hash_chunked"
window = { days = 15, first_day = 2026-10-01 }
chunks = { count = 2 }
split = { by = "conversation", shares = { train = 83, val = 9, test = 8 } }
buckets = [
  { name = "short", turns = [3, 5] }, { name = "medium", turns = [6, 10] }, { name = "long", turns = [11, 20] },
]
privacy = { user_names = "as_is" }
release = { prefix = "small", stamp_format = "%Y%m%d_%H%M%S", data_source = "synthetic" }

[sample]
salt = "t1"
allow_shortfall = false
targets.train = { short = 20, medium = 12, long = 8 }
targets.val = { short = 3, medium = 2, long = 1 }
targets.test = { short = 3, medium = 2, long = 1 }
"""


@dataclass
class Recorder:
    """A watcher that remembers, and stops the walk after some partitions when told to."""

    stop_after: int | None = None
    done: list[str] = field(default_factory=list[str])

    def preparing(self, done: int, total: int) -> None:
        """Nothing to remember."""

    def step_started(self, step: Step, to_do: int) -> None:
        """Nothing to remember."""

    def querying(self, step: Step, progress: Progress) -> None:
        """Nothing to remember."""

    def sending(self, step: Step, told: Callable[[], str]) -> None:
        """Nothing to remember."""

    def labelling(self, step: Step, told: Callable[[], str]) -> None:
        """Nothing to remember."""

    def partition_done(self, step: Step, partition: str) -> None:
        """Remember the partition; interrupt as Ctrl-C would."""
        self.done.append(f"{step.asset} {partition}")
        if len(self.done) == self.stop_after:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class World:
    """A folder with telemetry, a plan and a home."""

    root: Path

    @property
    def telemetry(self) -> Path:
        """Raw events."""
        return self.root / "telemetry"

    @property
    def settings(self) -> Settings:
        """The settings that a user of this world would have."""
        plan = self.root / "small.toml"
        plan.write_text(SMALL_PLAN, encoding="utf-8")
        home = {"SFT_HOME": str(self.root / "home"), "SFT_TELEMETRY": str(self.telemetry)}
        return read_settings(home, plan=str(plan))

    @property
    def tables(self) -> TableStore:
        """The asset tables."""
        return TableStore(self.settings.storage)

    def table(self, asset: str, part: str = "") -> pl.DataFrame:
        """One asset table of the window."""
        return self.tables.read(TableKey(asset, KEY, part))

    def walk(self, until: str | None = None, watcher: Recorder | None = None) -> dict[str, StepDone]:
        """Walk the window."""
        settings = self.settings
        with open_instance(settings) as instance:
            steps = walk_steps(settings.plan, WINDOW, until)
            done = walk(settings, instance, steps, watcher or Recorder())
        return {step.step.asset: step for step in done}

    def made(self, until: str | None = None) -> dict[str, int]:
        """Walk the window and count what was made."""
        return {asset: step.made for asset, step in self.walk(until).items()}

    def copy(self, root: Path) -> "World":
        """The same world elsewhere, home included."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return World(root)

    def released_files(self) -> dict[str, bytes]:
        """The data files of the release, by path."""
        folder = Path(str(self.table("sample_release")["url"][0]).removeprefix("file://"))
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*.json"))}

    def raw_events(self) -> pl.DataFrame:
        """All raw events."""
        return pl.concat([pl.read_parquet(path) for path in sorted(events_folder(self.telemetry).glob("*.parquet"))])
